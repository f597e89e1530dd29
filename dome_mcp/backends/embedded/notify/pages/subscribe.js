// Subscribes this browser and hands what it got to the command that serves this page.
"use strict";

const token = new URLSearchParams(location.search).get("token");
const button = document.getElementById("subscribe");
const said = document.getElementById("said");

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function call(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Dome-Token": token } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.text();
}

async function subscribe() {
  if (!("PushManager" in window)) throw new Error("This browser cannot take pushes.");
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Error("The browser was told not to show notices from this page.");
  }
  const registration = await navigator.serviceWorker.register("worker.js");
  await navigator.serviceWorker.ready;
  // One that was made with other keys would refuse what these keys send.
  const old = await registration.pushManager.getSubscription();
  if (old) await old.unsubscribe();
  const subscription = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: bytesOf(await call("key")),
  });
  return call("subscription", { method: "POST", body: JSON.stringify(subscription) });
}

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    said.textContent = await subscribe();
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});

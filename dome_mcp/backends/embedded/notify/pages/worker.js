// Shows what is pushed, and carries out what is tapped. webpush.py writes what this reads.
"use strict";

self.addEventListener("push", (event) => {
  const { title, body, tag, actions } = event.data.json();
  event.waitUntil(
    self.registration.showNotification(title, {
      body,
      tag,
      requireInteraction: true,
      actions: actions.map((action, index) => ({ action: String(index), title: action.title })),
      data: actions.map((action) => action.url),
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data[Number(event.action || NaN)];
  if (!url) return;
  // The link is another origin's, so its answer cannot be read; only a network failure shows.
  const pressed = fetch(url, { method: "POST", mode: "no-cors", credentials: "omit" });
  event.waitUntil(pressed.catch(() => self.clients.openWindow(url)));
});

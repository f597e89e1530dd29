"""Drivers for a Cloudflare account: D1, Vectorize, R2, Queues, Workers AI, Email, over REST."""

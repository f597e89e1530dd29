"""REST under /api: one module a subject; each parses, calls one service and shapes the reply."""

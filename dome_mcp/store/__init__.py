"""SQL text and the way between rows and values, in the dialect SQLite and D1 share."""

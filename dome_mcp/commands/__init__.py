"""The commands of `dome-mcp`, one module a group, each imported only when it runs."""

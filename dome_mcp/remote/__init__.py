"""The HTTP shell: MCP over Streamable HTTP and SSE, REST, a page for people, health and figures."""

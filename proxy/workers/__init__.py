"""The server's end of pixel work: start, supervise and query the sandboxed worker processes. Never imports pyvips."""

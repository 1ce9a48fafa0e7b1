"""Workers: the server's end of pixel work; never imports pyvips."""

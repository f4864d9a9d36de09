"""The installed command and the running daemon, judged from outside."""

"""The web face: shows the project in a browser. Like the other faces, it only reads what the daemon shows it."""

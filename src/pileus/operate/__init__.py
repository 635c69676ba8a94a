"""Starting, stopping and looking after one Pileus on this machine."""

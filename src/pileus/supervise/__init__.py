"""Starts and watches the daemons that Pileus owns; sets a host up for guests and clears it again."""

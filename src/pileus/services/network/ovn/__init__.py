"""OVN's northbound database, derived from the rows: what it should hold, and how it gets there."""

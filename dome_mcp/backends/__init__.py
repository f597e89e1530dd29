"""Drivers: the ports, implemented for one vendor or machine each."""

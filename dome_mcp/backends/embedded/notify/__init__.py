"""The notifiers, one module for each kind of channel; `registry.notifiers` makes them all."""

"""Where documents come from: files of this machine and pages of the web, read by a policy."""

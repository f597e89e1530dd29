"""Channels as the Worker serves them (see conftest.py)."""

from tests.remote.rest.test_channels import *  # noqa: F403 - pytest collects the suite from here

# A Worker reaches no mail server, and has an account.
del test_mail_by_a_private_server_is_refused_without_admin  # noqa: F821 - from there
del test_mail_on_the_owners_cloudflare_account_is_refused_without_admin  # noqa: F821 - from there

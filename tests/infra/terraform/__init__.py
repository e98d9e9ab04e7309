"""Checks of infra/terraform with the real terraform, for tests/infra/test_terraform*.py and `infra/terraform/check`."""

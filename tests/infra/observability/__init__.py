"""Makes what is not Google Cloud's of the alerts and the dashboard in infra/terraform/modules/observability, and Google
Cloud's dashboard too. `make observability` writes the files; tests say when they are not current.
"""

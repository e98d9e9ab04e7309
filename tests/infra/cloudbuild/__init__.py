"""A builder with fakes of gcloud, docker, terraform and curl on PATH."""

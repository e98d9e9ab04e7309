terraform {
  required_version = ">= 1.11"

  # The bucket is bootstrap's, and each environment has a state of its own:
  # terraform init -backend-config=bucket=... -backend-config=prefix=xnovu/ENV
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.45, < 8.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

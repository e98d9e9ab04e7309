terraform {
  required_version = ">= 1.11"

  # The bucket is bootstrap's: terraform init -backend-config=bucket=...
  backend "gcs" {
    prefix = "xnovu/dev"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.45, < 9.0"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

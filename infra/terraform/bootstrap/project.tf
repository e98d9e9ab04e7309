# What the project needs before anything can be deployed into it.

locals {
  apis = [
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudtrace.googleapis.com",
    "compute.googleapis.com",
    "containeranalysis.googleapis.com",
    "containerscanning.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "ondemandscanning.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
    "telemetry.googleapis.com",
  ]
}

resource "google_project_service" "main" {
  for_each = toset(local.apis)

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}

# Google says that an API is on some time before it answers everywhere: what asks it sooner is told that it is off.
resource "terraform_data" "apis_are_there" {
  triggers_replace = [for api in google_project_service.main : api.service]

  provisioner "local-exec" {
    command = "sleep ${var.wait_seconds}"
  }
}

# As whom uptime checks sign in: health lets it through, so it must be there.
resource "google_project_service_identity" "monitoring" {
  provider = google-beta

  project = var.project_id
  service = "monitoring.googleapis.com"

  depends_on = [terraform_data.apis_are_there]
}

resource "google_storage_bucket" "state" {
  #checkov:skip=CKV_GCP_62:Data access audit logs of Cloud Storage tell the same, and are one switch for the whole project.
  project                     = var.project_id
  name                        = coalesce(var.state_bucket_name, "${var.project_id}-xnovu-terraform")
  location                    = var.region
  labels                      = var.labels
  force_destroy               = false
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  # A state that was overwritten can be had back for a year; plans are of use for days.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = 365
      num_newer_versions         = 20
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = 30
      matches_prefix = ["plans/"]
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 2592000 # 30 days
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [terraform_data.apis_are_there]
}

module "registry" {
  source = "../modules/registry"
  count  = var.images == null ? 1 : 0

  project_id    = var.project_id
  region        = var.region
  repository_id = "xnovu"
  labels        = var.labels
  readers       = merge({ for name, account in google_service_account.planner : "planner_${name}" => account.member }, var.image_readers)
  writers       = { builder = google_service_account.builder.member }

  depends_on = [terraform_data.apis_are_there]
}

# The images: tags never move, so what has one stays (no policy deletes it) until somebody deletes it by hand.

resource "google_artifact_registry_repository" "main" {
  #checkov:skip=CKV_GCP_84:The image holds no secret; keys of one's own are for those who must have them.
  project                = var.project_id
  location               = var.region
  repository_id          = var.repository_id
  description            = "XNovu: one image for listener, worker and functions"
  format                 = "DOCKER"
  labels                 = var.labels
  cleanup_policy_dry_run = false

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "604800s" # a week
    }
  }

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }
}

# The layers that builds share. Its tags move at every build, which the images' repository does not allow.
resource "google_artifact_registry_repository" "cache" {
  #checkov:skip=CKV_GCP_84:Layers of the image, which holds no secret.
  project                = var.project_id
  location               = var.region
  repository_id          = "${var.repository_id}-cache"
  description            = "XNovu: layers that builds share"
  format                 = "DOCKER"
  labels                 = var.labels
  cleanup_policy_dry_run = false

  cleanup_policies {
    id     = "old"
    action = "DELETE"

    condition {
      older_than = "1209600s" # two weeks
    }
  }

  vulnerability_scanning_config {
    enablement_config = "DISABLED" # each digest scanned costs; this one is never run
  }
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = var.readers

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.main.name
  role       = "roles/artifactregistry.reader"
  member     = each.value
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  for_each = var.writers

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.main.name
  role       = "roles/artifactregistry.writer"
  member     = each.value
}

resource "google_artifact_registry_repository_iam_member" "cache_writer" {
  for_each = var.writers

  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.cache.name
  role       = "roles/artifactregistry.writer"
  member     = each.value
}

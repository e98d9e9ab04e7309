# Secrets, and those of their versions that Terraform is given to write. No value is ever in a state or a plan.

resource "google_secret_manager_secret" "main" {
  for_each = var.names

  project             = var.project_id
  secret_id           = "${var.prefix}-${replace(each.key, "_", "-")}"
  labels              = var.labels
  deletion_protection = var.deletion_protection
  # A version that was destroyed by mistake can be had back for so long.
  version_destroy_ttl = "604800s"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "main" {
  for_each = var.written

  secret                 = google_secret_manager_secret.main[each.key].id
  secret_data_wo         = var.values[each.key]
  secret_data_wo_version = each.value
  # What runs may still need the version before this one, or this one after Terraform has let go of it.
  deletion_policy = "ABANDON"

  lifecycle {
    create_before_destroy = true
  }
}

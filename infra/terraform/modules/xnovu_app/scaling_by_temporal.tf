# Scaling by Temporal itself (its Serverless Workers, a public preview): Temporal's accounts act as the invoker, which may
# change the pools of this deployment's builds.

locals {
  by_temporal = var.autoscaler == "temporal"
}

resource "google_service_account" "invoker" {
  count = local.by_temporal ? 1 : 0

  project      = var.project_id
  account_id   = "${var.prefix}-invoker"
  display_name = "XNovu ${var.environment}: Temporal scales as this account"
}

resource "google_service_account_iam_member" "temporal_acts_as_invoker" {
  for_each = local.by_temporal ? toset(var.temporal_principals) : toset([])

  service_account_id = google_service_account.invoker[0].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

resource "google_cloud_run_v2_worker_pool_iam_member" "temporal" {
  for_each = local.by_temporal ? module.worker : {}

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = google_project_iam_custom_role.scaler[0].id
  member   = google_service_account.invoker[0].member
}

resource "google_service_account_iam_member" "invoker_acts_as_worker" {
  count = local.by_temporal ? 1 : 0

  service_account_id = module.worker_identity.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.invoker[0].member
}

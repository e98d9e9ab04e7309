# Scaling by Temporal itself (its Serverless Workers, a public preview): Temporal's accounts act as the invoker, which may
# change the pools of this deployment's builds. bootstrap/ says which accounts those are (temporal_principals).

locals {
  by_temporal = var.autoscaler == "temporal"
}

resource "google_cloud_run_v2_worker_pool_iam_member" "temporal" {
  for_each = local.by_temporal ? module.worker : {}

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = local.scaler_role
  member   = "serviceAccount:${local.accounts.invoker}"
}

# As whom the parts of one deployment run, and what each may do. A person makes them, with bootstrap/: whoever applies a
# deployment can neither make an account nor give one a right.

locals {
  named = { for name in var.secrets : name => "${var.prefix}-${replace(name, "_", "-")}" }

  # Novu's keys are the worker's alone, and what Novu signs with is the webhook's.
  common = toset([for name in var.secrets : name if !startswith(name, "novu_")])

  parts = {
    autoscale = local.common
    health    = local.common
    invoker   = toset([])
    listener  = local.common
    scheduler = toset([])
    status    = local.common
    trigger   = local.common
    webhook   = setintersection(var.secrets, ["novu_webhook_secrets", "supabase_service_role_key"])
    worker    = setsubtract(var.secrets, ["novu_webhook_secrets"])
  }

  # Those that call and scale, and send no telemetry.
  silent = ["invoker", "scheduler"]

  telemetry = {
    for pair in setproduct(setsubtract(keys(local.parts), local.silent), [
      "roles/serviceusage.serviceUsageConsumer",
      "roles/telemetry.metricsWriter",
      "roles/telemetry.tracesWriter",
    ]) : "${pair[0]}: ${pair[1]}" => { part = pair[0], role = pair[1] }
  }

  reads = merge([
    for part, names in local.parts : { for name in names : "${part}: ${name}" => { part = part, secret = local.named[name] } }
  ]...)

  # Changing a pool is changing all of it, its image too: whoever scales the worker is as good as the worker.
  scalers = length(var.temporal_principals) > 0 ? ["autoscale", "invoker"] : ["autoscale"]
}

resource "google_service_account" "main" {
  for_each = local.parts

  project      = var.project_id
  account_id   = "${var.prefix}-${each.key}"
  display_name = "XNovu: ${each.key} of ${var.prefix}"
}

resource "google_project_iam_member" "telemetry" {
  for_each = local.telemetry

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.main[each.value.part].member
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.reads

  project   = var.project_id
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.main[each.value.part].member
}

# Bound on single pools only, by the deployment.
resource "google_project_iam_custom_role" "scaler" {
  project     = var.project_id
  role_id     = "${replace(var.prefix, "-", "_")}_scaler"
  title       = "XNovu: scales the workers of ${var.prefix}"
  description = "Reads and changes worker pools. Bound on single pools only."
  permissions = ["run.workerpools.get", "run.workerpools.update"]
}

# What became of a change is an operation of the project, not of the pool.
resource "google_project_iam_custom_role" "watcher" {
  project     = var.project_id
  role_id     = "${replace(var.prefix, "-", "_")}_operation_watcher"
  title       = "XNovu: watches the changes of ${var.prefix}"
  description = "Reads Cloud Run's operations."
  permissions = ["run.operations.get"]
}

resource "google_project_iam_member" "autoscale_watches" {
  project = var.project_id
  role    = google_project_iam_custom_role.watcher.id
  member  = google_service_account.main["autoscale"].member
}

resource "google_service_account_iam_member" "scaler_acts_as_worker" {
  for_each = toset(local.scalers)

  service_account_id = google_service_account.main["worker"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.main[each.key].member
}

resource "google_service_account_iam_member" "temporal_acts_as_invoker" {
  for_each = toset(var.temporal_principals)

  service_account_id = google_service_account.main["invoker"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}

# Who applies the deployment has what it makes run as these accounts, and as no others.
resource "google_service_account_iam_member" "applier_acts" {
  for_each = google_service_account.main

  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = var.applier
}

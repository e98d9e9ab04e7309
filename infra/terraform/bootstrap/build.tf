# Cloud Build: one account builds, one for each environment plans, another applies. Nobody has a key.

resource "google_service_account" "builder" {
  project      = var.project_id
  account_id   = "xnovu-builder"
  display_name = "XNovu: checks, builds and scans the image"

  depends_on = [google_project_service.main]
}

resource "google_service_account" "planner" {
  for_each = var.environments

  project      = var.project_id
  account_id   = "xnovu-planner-${each.key}"
  display_name = "XNovu ${each.key}: plans; changes nothing"

  depends_on = [google_project_service.main]
}

resource "google_service_account" "applier" {
  for_each = var.environments

  project      = var.project_id
  account_id   = "xnovu-applier-${each.key}"
  display_name = "XNovu ${each.key}: applies an approved plan"

  depends_on = [google_project_service.main]
}

locals {
  builder_roles = [
    "roles/containeranalysis.occurrences.viewer",
    "roles/logging.logWriter",
    "roles/ondemandscanning.admin",
  ]

  planner_roles = [
    "roles/iam.securityReviewer", # to compare who may do what; Viewer does not see that of the project
    "roles/logging.logWriter",
    "roles/secretmanager.viewer",
    "roles/viewer",
  ]

  applier_roles = [
    "roles/cloudscheduler.admin",
    "roles/compute.networkAdmin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/resourcemanager.projectIamAdmin",
    "roles/run.admin",
    "roles/viewer",
  ]
}

resource "google_project_iam_member" "builder" {
  for_each = toset(local.builder_roles)

  project = var.project_id
  role    = each.value
  member  = google_service_account.builder.member
}

resource "google_project_iam_member" "planner" {
  for_each = {
    for pair in setproduct(keys(var.environments), local.planner_roles) :
    "${pair[0]}: ${pair[1]}" => { environment = pair[0], role = pair[1] }
  }

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.planner[each.value.environment].member
}

resource "google_project_iam_member" "applier" {
  for_each = {
    for pair in setproduct(keys(var.environments), local.applier_roles) :
    "${pair[0]}: ${pair[1]}" => { environment = pair[0], role = pair[1] }
  }

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.applier[each.value.environment].member

  # It may hand out the roles that the parts have, and no others.
  dynamic "condition" {
    for_each = each.value.role == "roles/resourcemanager.projectIamAdmin" ? [local.grantable] : []

    content {
      title       = "only_the_parts_roles"
      description = "May grant and take away nothing but the roles that XNovu's parts have."
      expression  = condition.value
    }
  }
}

locals {
  granted = concat(
    ["roles/serviceusage.serviceUsageConsumer", "roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"],
    [for environment in keys(var.environments) : "projects/${var.project_id}/roles/xnovu_${environment}_operation_watcher"],
  )
  grantable = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in local.granted : "'${role}'"])}])"
}

# Applying says who may read a secret; it needs no value.
resource "google_project_iam_custom_role" "secret_binder" {
  project     = var.project_id
  role_id     = "xnovu_secret_binder"
  title       = "XNovu: says who reads secrets"
  description = "Reads what secrets there are, and sets who may read them. Holds no value."
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.versions.get",
  ]
}

resource "google_secret_manager_secret_iam_member" "applier" {
  for_each = merge([
    for environment, secrets in module.secrets : {
      for name, secret_id in secrets.secret_ids : "${environment}: ${name}" => { environment = environment, secret_id = secret_id }
    }
  ]...)

  project   = var.project_id
  secret_id = each.value.secret_id
  role      = google_project_iam_custom_role.secret_binder.id
  member    = google_service_account.applier[each.value.environment].member
}

# State and plans: planning reads the one and writes the other, applying writes both; each in its environment's folders.
resource "google_storage_bucket_iam_member" "builder" {
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.builder.member

  condition {
    title      = "plans_only"
    expression = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.state.name}/objects/plans/')"
  }
}

resource "google_storage_bucket_iam_member" "planner" {
  for_each = var.environments

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.planner[each.key].member
}

# The backend locks the state while it plans: a file beside it.
resource "google_storage_bucket_iam_member" "planner_locks" {
  for_each = var.environments

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.planner[each.key].member

  condition {
    title = "locks_and_plans_only"
    expression = join(" || ", [
      "resource.name == 'projects/_/buckets/${google_storage_bucket.state.name}/objects/xnovu/${each.key}/default.tflock'",
      "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.state.name}/objects/plans/${each.key}/')",
    ])
  }
}

resource "google_storage_bucket_iam_member" "applier" {
  for_each = var.environments

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.applier[each.key].member

  condition {
    title = "its_environment_only"
    expression = join(" || ", [
      for folder in ["xnovu", "plans"] :
      "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.state.name}/objects/${folder}/${each.key}/')"
    ])
  }
}

# Listing has no object's name, so no condition on one lets it through.
resource "google_storage_bucket_iam_member" "applier_lists" {
  for_each = var.environments

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.legacyBucketReader"
  member = google_service_account.applier[each.key].member
}

# The build that plans is the builder's: it takes on the planner for that step.
resource "google_service_account_iam_member" "builder_plans" {
  for_each = var.environments

  service_account_id = google_service_account.planner[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.builder.member
}

# Trying what it has applied, it says who it is; in a build an account may do that only if it may sign for itself.
resource "google_service_account_iam_member" "applier_identity" {
  for_each = var.environments

  service_account_id = google_service_account.applier[each.key].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.applier[each.key].member
}

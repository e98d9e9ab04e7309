# Cloud Build's accounts. One tests and can do nothing else; one makes images and can do nothing else; and for each
# environment one plans, and another applies what was approved. Nobody has a key, nobody may start a build, and nobody acts
# as another of these. tests/infra/test_iam_reach.py computes who can reach what.

resource "google_service_account" "checker" {
  project      = var.project_id
  account_id   = "xnovu-checker"
  display_name = "XNovu: runs the tests"

  depends_on = [terraform_data.apis_are_there]
}

resource "google_service_account" "builder" {
  project      = var.project_id
  account_id   = "xnovu-builder"
  display_name = "XNovu: builds and scans the image"

  depends_on = [terraform_data.apis_are_there]
}

resource "google_service_account" "planner" {
  for_each = var.environments

  project      = var.project_id
  account_id   = "xnovu-planner-${each.key}"
  display_name = "XNovu ${each.key}: plans; changes nothing"

  depends_on = [terraform_data.apis_are_there]
}

resource "google_service_account" "applier" {
  for_each = var.environments

  project      = var.project_id
  account_id   = "xnovu-applier-${each.key}"
  display_name = "XNovu ${each.key}: applies an approved plan"

  depends_on = [terraform_data.apis_are_there]
}

locals {
  builder_roles = [
    "roles/containeranalysis.occurrences.viewer",
    "roles/logging.logWriter",
    "roles/ondemandscanning.admin",
  ]

  planner_roles = [
    "roles/iam.securityReviewer", # to compare who may do what; Viewer does not see that of functions
    "roles/logging.logWriter",
    "roles/secretmanager.viewer",
    "roles/viewer",
  ]

  # What the root of a deployment makes. Accounts, roles and who reads secrets are made here, by a person.
  applier_roles = [
    "roles/cloudscheduler.admin",
    "roles/compute.networkAdmin",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/run.admin",
    "roles/secretmanager.viewer",
    "roles/viewer",
  ]

  project_roles = merge(
    { "checker: roles/logging.logWriter" = { role = "roles/logging.logWriter", member = google_service_account.checker.member } },
    { for role in local.builder_roles : "builder: ${role}" => { role = role, member = google_service_account.builder.member } },
    merge([for name, account in google_service_account.planner : {
      for role in local.planner_roles : "planner ${name}: ${role}" => { role = role, member = account.member }
    }]...),
    merge([for name, account in google_service_account.applier : {
      for role in local.applier_roles : "applier ${name}: ${role}" => { role = role, member = account.member }
    }]...),
  )
}

resource "google_project_iam_member" "build" {
  for_each = local.project_roles

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

locals {
  objects = "projects/_/buckets/${google_storage_bucket.state.name}/objects"

  # The state is the applier's to write; the planner reads it, and locks it while it plans: a file beside it. A plan is
  # written once, as the planner can neither overwrite nor delete one, and not even the applier can. gcloud looks at what it is
  # to write before it does, and takes a refusal for an end.
  state_rights = merge([
    for name in keys(var.environments) : {
      "${name}: planner reads" = {
        member = google_service_account.planner[name].member
        role   = "roles/storage.objectViewer"
        where  = "resource.name.startsWith('${local.objects}/xnovu/${name}/')"
      }
      "${name}: planner locks" = {
        member = google_service_account.planner[name].member
        role   = "roles/storage.objectUser"
        where  = "resource.name == '${local.objects}/xnovu/${name}/default.tflock'"
      }
      "${name}: planner keeps plans" = {
        member = google_service_account.planner[name].member
        role   = "roles/storage.objectCreator"
        where  = "resource.name.startsWith('${local.objects}/plans/${name}/')"
      }
      "${name}: planner looks at plans" = {
        member = google_service_account.planner[name].member
        role   = "roles/storage.objectViewer"
        where  = "resource.name.startsWith('${local.objects}/plans/${name}/')"
      }
      "${name}: applier writes" = {
        member = google_service_account.applier[name].member
        role   = "roles/storage.objectUser"
        where  = "resource.name.startsWith('${local.objects}/xnovu/${name}/')"
      }
      "${name}: applier reads plans" = {
        member = google_service_account.applier[name].member
        role   = "roles/storage.objectViewer"
        where  = "resource.name.startsWith('${local.objects}/plans/${name}/')"
      }
    }
  ]...)

  # Which images an environment has passed is read by the planner of the one after it.
  tested_readers = merge(
    merge([for name, environment in var.environments : environment.after == null ? {} : {
      "${name}: planner" = { member = google_service_account.planner[name].member, environment = environment.after }
    }]...),
    var.tested_readers,
  )
}

resource "google_storage_bucket_iam_member" "state" {
  for_each = local.state_rights

  bucket = google_storage_bucket.state.name
  role   = each.value.role
  member = each.value.member

  condition {
    title      = replace(each.key, "/[^a-z]/", "_")
    expression = each.value.where
  }
}

resource "google_storage_bucket_iam_member" "tested" {
  for_each = local.tested_readers

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectViewer"
  member = each.value.member

  condition {
    title      = "tested_images_only"
    expression = "resource.name.startsWith('${local.objects}/xnovu/${each.value.environment}/tested/')"
  }
}

# Listing has no object's name, so no condition on one lets it through; gcloud and Terraform's backend list.
resource "google_storage_bucket_iam_member" "lists" {
  for_each = merge(
    { for name, account in google_service_account.planner : "planner ${name}" => account.member },
    { for name, account in google_service_account.applier : "applier ${name}" => account.member },
  )

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

# Trying what it has applied, it says who it is; in a build an account may do that only if it may sign for itself.
resource "google_service_account_iam_member" "applier_identity" {
  for_each = var.environments

  service_account_id = google_service_account.applier[each.key].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.applier[each.key].member
}

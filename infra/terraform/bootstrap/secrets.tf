# The secrets of each environment, and as whom its parts run. A person runs this, so no build ever holds a value or can say
# who reads one.

module "secrets" {
  source   = "../modules/secrets"
  for_each = var.environments

  project_id = var.project_id
  prefix     = "xnovu-${each.key}"
  labels     = merge(var.labels, { environment = each.key })
  names      = each.value.secrets
  written    = each.value.written_secrets
  values     = lookup(var.secret_values, each.key, {})

  depends_on = [terraform_data.apis_are_there]
}

module "accounts" {
  source   = "../modules/accounts"
  for_each = var.environments

  project_id          = var.project_id
  prefix              = "xnovu-${each.key}"
  applier             = google_service_account.applier[each.key].member
  secrets             = each.value.secrets
  temporal_principals = each.value.temporal_principals

  depends_on = [module.secrets]
}

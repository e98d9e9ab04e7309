# The secrets of each environment. A person runs this, so no build ever holds a value.

module "secrets" {
  source   = "../modules/secrets"
  for_each = var.environments

  project_id = var.project_id
  prefix     = "xnovu-${each.key}"
  labels     = merge(var.labels, { environment = each.key })
  names      = each.value.secrets
  written    = each.value.written_secrets
  values     = lookup(var.secret_values, each.key, {})

  depends_on = [google_project_service.main]
}

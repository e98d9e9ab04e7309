# Tells when the project costs more than was meant.

data "google_project" "main" {
  count = var.budget == null ? 0 : 1

  project_id = var.project_id

  depends_on = [terraform_data.apis_are_there] # Cloud Resource Manager's is one of them
}

resource "google_billing_budget" "main" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "xnovu ${var.project_id}"

  budget_filter {
    projects = ["projects/${data.google_project.main[0].number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency_code
      units         = tostring(var.budget.units)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]

    content {
      threshold_percent = threshold_rules.value
      spend_basis       = "CURRENT_SPEND"
    }
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  depends_on = [terraform_data.apis_are_there]
}

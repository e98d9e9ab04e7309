# Who is told: everybody of everything, PagerDuty of what is critical.

locals {
  everybody = concat([for channel in google_monitoring_notification_channel.email : channel.name], var.notification_channels)

  channels = {
    critical = concat(local.everybody, google_monitoring_notification_channel.pagerduty[*].name)
    warning  = local.everybody
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  project      = var.project_id
  display_name = "${var.prefix}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = var.labels
}

resource "google_monitoring_notification_channel" "pagerduty" {
  count = var.pagerduty_service_key_version > 0 ? 1 : 0

  project      = var.project_id
  display_name = "${var.prefix}: PagerDuty"
  type         = "pagerduty"
  user_labels  = var.labels

  sensitive_labels {
    service_key_wo         = var.pagerduty_service_key
    service_key_wo_version = var.pagerduty_service_key_version
  }
}

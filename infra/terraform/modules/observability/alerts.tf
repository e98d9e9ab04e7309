# The alerts of alerts.yaml, as far as this environment has what they look at.

locals {
  holds = {
    always             = true
    autoscaled         = var.autoscaler_mode != "fixed"
    autoscale_function = var.autoscaler_mode == "function"
    minimum_instances  = var.worker_min_instances >= 1
    several_listeners  = var.listener_count > 1
  }

  alerts = {
    for alert in yamldecode(file("${path.module}/alerts.yaml")).alerts : alert.name => alert
    if local.holds[lookup(alert, "if", "always")]
  }

  documentation = {
    for name, alert in local.alerts : name => <<-TEXT
      ${alert.title}.

      Who notices: ${alert.who}.

      What to do: [the runbook, ${name}](${var.runbook_url}#${name})
    TEXT
  }
}

resource "google_monitoring_alert_policy" "main" {
  for_each = { for name, alert in local.alerts : name => alert if can(alert.expr) }

  project               = var.project_id
  display_name          = "${var.prefix}: ${each.value.title}"
  combiner              = "OR"
  severity              = upper(each.value.severity)
  notification_channels = local.channels[each.value.severity]
  user_labels           = merge(var.labels, { alert = each.key })

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = replace(templatestring(each.value.expr, local.names), local.ours, local.with_job)
      duration            = each.value.for
      evaluation_interval = "60s"
      rule_group          = var.prefix
      alert_rule          = each.key
      # A metric exists once it was written: on the first day none does.
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close           = "1800s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  documentation {
    subject   = "${var.prefix}: ${each.value.title}"
    content   = local.documentation[each.key]
    mime_type = "text/markdown"

    links {
      display_name = "Runbook"
      url          = "${var.runbook_url}#${each.key}"
    }
  }

  depends_on = [google_logging_metric.main]
}

output "alerts" {
  description = "Every alert there is, with its severity."
  value       = { for name, alert in local.alerts : name => alert.severity }
}

output "dashboard_id" {
  description = "Name of the dashboard in Cloud Monitoring."
  value       = google_monitoring_dashboard.main.id
}

output "notification_channels" {
  description = "Names of the channels that are told, by severity."
  value       = local.channels
}

output "uptime_check_id" {
  description = "Id of the health function's uptime check."
  value       = google_monitoring_uptime_check_config.health.uptime_check_id
}

# What docs/operating.md calls worth an alert, of what the agent publishes.
locals {
  alarms = var.alarms.enabled ? {
    not-ready      = { metric = "Ready", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1, minutes = 3, missing = "breaching", about = "A core is not fit for traffic, or says nothing." }
    publish-errors = { metric = "CorePublishErrors", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, minutes = 5, missing = "notBreaching", about = "Publishes fail: the log can't be written." }
    certificate    = { metric = "CertDays", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 14, minutes = 5, missing = "notBreaching", about = "A core's certificate ends within 14 days, and its links with it." }
  } : {}
}

resource "aws_cloudwatch_metric_alarm" "core" {
  for_each            = local.alarms
  region              = var.region
  alarm_name          = "${local.group}-${each.key}"
  alarm_description   = each.value.about
  namespace           = "Selvedge"
  metric_name         = each.value.metric
  dimensions          = { AutoScalingGroupName = local.group }
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = local.tags
}

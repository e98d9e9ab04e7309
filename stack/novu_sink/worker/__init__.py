"""What happens after `processed`: queue, duplicates, subscribers, conditions, rendering, providers."""

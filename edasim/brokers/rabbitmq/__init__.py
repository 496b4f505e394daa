"""RabbitMQ: exchanges, queues, channels and dead letters."""

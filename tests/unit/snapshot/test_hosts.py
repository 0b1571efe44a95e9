"""Hosts are recognised by their form or where they are written, not by the name of a Service."""

import pytest

from reme_playbook.snapshot.hosts import Host, hosts_in, hosts_of_words, names_host

OPEN_TELEMETRY = {
    "OTEL_SERVICE_NAME": "paymentservice",
    "APP_NAME": "otel-demo-paymentservice",
    "TARGET_ENV": "production",
    "SERVER_MODE": "cluster",
    "OTEL_RESOURCE_ATTRIBUTES": "service.name=payment,service.namespace=opentelemetry-demo",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "cumulative",
    "FEATURE_FLAG_BACKEND": "flagd",
    "LOGSTASH": "false",
    "KAFKA_HEAP_OPTS": "-Xmx400m -Xms400m",
    "VERSION": "1.2.3",
    "IMAGE_VERSION": "redis:6379",
    "SIDECAR_IMAGE": "registry.example:5000/cart",
}
SPRING = {
    "SPRING_PROFILES_ACTIVE": "production",
    "SPRING_APPLICATION_NAME": "orders",
    "JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=75 -Duser.timezone=UTC",
    "SERVER_SERVLET_CONTEXT_PATH": "/orders",
    "MANAGEMENT_ENDPOINTS_WEB_EXPOSURE_INCLUDE": "health,info",
    "SPRING_CACHE_TYPE": "redis",
    "MAIN_CLASS": "com.example.orders.Main",
    "LOGGING_LEVEL_ROOT": "info",
}
DJANGO = {
    "DJANGO_SETTINGS_MODULE": "shop.settings.production",
    "ALLOWED_HOSTS": "shop,cart",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "CSRF_TRUSTED_ORIGINS": "*",
    "CACHE_BACKEND": "redis",
    "BIND_ADDRESS": "cart",
    "LISTEN_ADDR": "0.0.0.0:8000",
    "HOSTS_FILE": "/etc/hosts",
    "SUPPORT_EMAIL": "help@shop",
    "RATIO": "cart:3",
    "SCHEDULE": "12:30",
    "DB_HOST": "localhost",
    "DB_URL": "postgres://127.0.0.1:5432/x",
    "SECRET_HOST": "$(OTHER)",
}


@pytest.mark.parametrize(
    ("name", "value"), [*OPEN_TELEMETRY.items(), *SPRING.items(), *DJANGO.items()]
)
def test_words_that_a_service_could_be_called_are_no_hosts(name: str, value: str) -> None:
    assert [h for h in hosts_in(name, value) if h.certain] == []


@pytest.mark.parametrize(
    ("name", "value", "hosts"),
    [
        ("PAYMENT_SERVICE_ADDR", "paymentservice:50051", ["paymentservice:50051"]),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otelcol:4317", ["otelcol:4317"]),
        ("KAFKA_SERVICE_ADDR", "kafka:9092,kafka-2:9092", ["kafka:9092", "kafka-2:9092"]),
        ("DB_CONNECTION", "Host=postgres.shop.svc;Username=u", ["postgres.shop.svc:None"]),
        ("FLAGD_HOST", "flagd", ["flagd:None"]),
        ("spring.datasource.url", "jdbc:postgresql://db:5432/orders", ["db:5432"]),
        ("SPRING_DATA_MONGODB_URI", "mongodb://u:p@mongo/orders", ["mongo:27017"]),
        ("SPRING_RABBITMQ_HOST", "rabbit", ["rabbit:None"]),
        ("eurekaServerUrl", "http://Registry:8761/eureka", ["registry:8761"]),
        ("DATABASE_URL", "postgres://user:pw@db/shop", ["db:5432"]),
        ("CELERY_BROKER_URL", "redis://redis:6379/0", ["redis:6379"]),
        ("MEMCACHED_SERVERS", "mc-0, mc-1", ["mc-0:None", "mc-1:None"]),
        ("ROUTES", "/a=http://cart:80/;/b=http://stock:81/", ["cart:80", "stock:81"]),
        ("SHOPPING_ASSISTANT_SERVICE_ADDR", "assistant:80", ["assistant:80"]),
        ("REDIS", "redis:6379", ["redis:6379"]),
        ("X", "cart.shop.svc.cluster.local", ["cart.shop.svc.cluster.local:None"]),
        ("DB_HOST_1", "db", ["db:None"]),
    ],
)
def test_hosts_are_recognised_by_their_form_or_their_name(
    name: str, value: str, hosts: list[str]
) -> None:
    assert [f"{h.name}:{h.port}" for h in hosts_in(name, value) if h.certain] == hosts


def test_a_word_that_once_was_a_service_is_a_host() -> None:
    assert hosts_in("STOCK", "stokc") == ()
    assert hosts_in("STOCK", "stokc", resolved=True) == (Host("stokc"),)


def test_a_key_and_a_number_in_a_file_are_no_certain_host() -> None:
    text = "upstream {\n  server cart:8080;\n  timeout:5000\n}\nurl = http://stock\n"
    assert hosts_in("nginx.conf", text) == (
        Host("cart", "", 8080, certain=False),
        Host("timeout", "", 5000, certain=False),
        Host("stock", "http", 80),
    )
    assert hosts_in("settings.json", '{"db": "postgres:5432", "host": "cart"}') == (
        Host("postgres", "", 5432, certain=False),
    )


def test_arguments_name_hosts_with_their_flags() -> None:
    words = ["serve", "--db-host", "postgres", "--cache=redis:6379", "--log-level", "stock"]
    assert [h.name for h in hosts_of_words(words)] == ["postgres", "redis"]
    assert [h.name for h in hosts_of_words(["wait", "stock:8080"])] == ["stock"]


@pytest.mark.parametrize("name", ["HOST", "DB_HOST", "dbHost", "db.url", "X_ENDPOINTS"])
def test_names_of_hosts(name: str) -> None:
    assert names_host(name)


@pytest.mark.parametrize(
    "name", ["HOST_PATH", "URL_PREFIX", "ALLOWED_HOSTS", "OTEL_SERVICE_NAME", "POD_HOST", ""]
)
def test_names_of_other_things(name: str) -> None:
    assert not names_host(name)

import pytest

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf

CONF = r"""
events {}
http {
  log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                  '$status $body_bytes_sent "$http_user_agent"';
  include more.conf;
  access_log /var/log/nginx/access.log main;
  server {
    access_log /var/log/nginx/shop.log main buffer=32k;
    access_log /var/log/nginx/plain.log;
    access_log syslog:server=unix:/dev/log main;
    access_log /dev/stdout main;
    access_log off;
    location / { access_log /var/log/nginx/$host.log main; }
  }
}
"""
MORE = 'log_format js escape=json \'{"a":"$remote_addr","s":$status}\';\n'


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "nginx.conf").write_text(CONF)
    (tmp_path / "more.conf").write_text(MORE)
    return tmp_path / "nginx.conf"


def test_a_format_and_its_files(conf):
    logs = read_nginx_conf(conf, "main")
    assert logs.format.startswith('$remote_addr - $remote_user [$time_local] "$request" $status')
    assert logs.files == ("/var/log/nginx/access.log", "/var/log/nginx/shop.log")
    assert "agent" in compile_log(logs.format).fields


def test_a_format_in_an_included_file(conf):
    logs = read_nginx_conf(conf, "js")
    assert logs.format == 'escape=json {"a":"$remote_addr","s":$status}'
    assert compile_log(logs.format).strict


def test_nginxs_own_format(conf):
    assert read_nginx_conf(conf, "combined") == ("combined", ("/var/log/nginx/plain.log",))


def test_the_only_format_need_not_be_named(tmp_path, conf):
    (tmp_path / "more.conf").write_text("")
    assert read_nginx_conf(conf, None).files[0] == "/var/log/nginx/access.log"
    conf.write_text("events {}\nhttp { access_log /x.log; }\n")
    assert read_nginx_conf(conf, None) == ("combined", ("/x.log",))


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (CONF, "mian", "has no log_format mian; formats there are main, js, combined"),
        (CONF, None, "name is missing; formats there are main, js"),
        ("http {", "main", "nginx.conf:1: unexpected end of file"),
        ("}", "main", 'nginx.conf:1: unexpected "}"'),
        ("some {\n log_format main;\n}", "main", "nginx.conf:2: log_format has too few arguments"),
        ("some { access_log; }", None, "nginx.conf:1: access_log has too few arguments"),
    ],
)
def test_what_cannot_be_used_is_named(conf, text, name, told):
    conf.write_text(text)
    with pytest.raises(NginxConfError) as refused:
        read_nginx_conf(conf, name)
    assert told in str(refused.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(NginxConfError, match=r"none.conf: No such file"):
        read_nginx_conf(tmp_path / "none.conf", "main")

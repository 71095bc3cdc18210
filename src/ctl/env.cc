#include <algorithm>
#include <array>
#include <filesystem>

#include "ctl/commands.h"
#include "insight/printable.h"
#include "tls/authority_store.h"

namespace leash::ctl {
namespace {

constexpr std::array kProxyVariables = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"};
constexpr std::array kCaVariables = {
    "SSL_CERT_FILE",       // OpenSSL, Go, Python's ssl
    "CURL_CA_BUNDLE",      // curl
    "REQUESTS_CA_BUNDLE",  // Python requests
    "PIP_CERT",            // pip
    "GIT_SSL_CAINFO",      // git
    "CARGO_HTTP_CAINFO",   // cargo
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
};

// Where an agent on this host finds the listener: a wildcard address stands for loopback.
std::string proxy_url(base::SocketAddress listener) {
  if (listener.ip == base::IpAddress()) {
    listener.ip = base::IpAddress::v4(0x7f000001);
  } else if (listener.ip == base::IpAddress::v6({})) {
    listener.ip = *base::IpAddress::parse("::1");
  }
  return "http://" + listener.text();
}

// A line break would end the line that `eval` reads, and no path or URL has one.
bool has_control(const std::string& text) { return insight::printable(text) != text; }

}  // namespace

int run_env(const Context& context, const EnvOptions& options) {
  std::string proxy = options.proxy;
  std::string ca_file = options.ca_file;
  if (proxy.empty() || ca_file.empty()) {
    const auto settings = context.settings();
    if (!settings) return context.fail(settings.error());
    if (proxy.empty()) {
      // No program takes a unix socket from a proxy variable.
      const auto tcp =
          std::find_if(settings->listen.begin(), settings->listen.end(),
                       [](const base::Endpoint& endpoint) { return !endpoint.is_unix(); });
      if (tcp == settings->listen.end()) {
        return context.fail(
            "leash listens on unix sockets only, which proxy variables cannot name: give --proxy");
      }
      proxy = proxy_url(tcp->tcp);
    }
    if (ca_file.empty()) {
      const auto certificate = tls::read_ca_certificate(settings->ca_dir);
      if (!certificate) return context.fail(certificate.error());
      // The lines outlive the directory in which they were printed.
      std::error_code failed;
      ca_file = std::filesystem::absolute(certificate->path, failed).string();
      if (failed) ca_file = certificate->path;
    }
  }
  if (has_control(proxy)) return context.fail("--proxy has a character that no URL has: " + proxy);
  if (has_control(ca_file)) {
    return context.fail("the certificate's path has a control character: " + ca_file);
  }
  const auto line = [&context](const char* name, const std::string& value) {
    context.out << "export " << name << '=' << insight::shell_word(value) << '\n';
  };
  for (const char* name : kProxyVariables) line(name, proxy);
  line("NO_PROXY", "localhost,127.0.0.1");
  line("no_proxy", "localhost,127.0.0.1");
  // Most of these replace the program's own store; that is right here, since leash signs all that
  // arrives.
  for (const char* name : kCaVariables) line(name, ca_file);
  return kDone;
}

}  // namespace leash::ctl

#include "base/error.h"

namespace leash::base {

std::string_view word(Code code) {
  switch (code) {
    case Code::kBadSyntax:
      return "bad_syntax";
    case Code::kBadHost:
      return "bad_host";
    case Code::kBadPort:
      return "bad_port";
    case Code::kHostTooLong:
      return "host_too_long";
    case Code::kNotAscii:
      return "not_ascii";
    case Code::kUserinfo:
      return "userinfo";
    case Code::kBadRequestLine:
      return "bad_request_line";
    case Code::kBadStatusLine:
      return "bad_status_line";
    case Code::kBadVersion:
      return "bad_version";
    case Code::kBadTarget:
      return "bad_target";
    case Code::kBadFieldName:
      return "bad_field_name";
    case Code::kBadFieldValue:
      return "bad_field_value";
    case Code::kBadLineEnd:
      return "bad_line_end";
    case Code::kObsFold:
      return "obs_fold";
    case Code::kHostMissing:
      return "host_missing";
    case Code::kHostDuplicate:
      return "host_duplicate";
    case Code::kHostMismatch:
      return "host_mismatch";
    case Code::kBadContentLength:
      return "bad_content_length";
    case Code::kDuplicateContentLength:
      return "duplicate_content_length";
    case Code::kLengthAndEncoding:
      return "length_and_encoding";
    case Code::kBadTransferEncoding:
      return "bad_transfer_encoding";
    case Code::kBadChunk:
      return "bad_chunk";
    case Code::kBadTrailer:
      return "bad_trailer";
    case Code::kHeadTooLarge:
      return "head_too_large";
    case Code::kTooManyFields:
      return "too_many_fields";
    case Code::kUnsupportedMethod:
      return "unsupported_method";
    case Code::kUpgradeRefused:
      return "upgrade_refused";
    case Code::kBodyIncomplete:
      return "body_incomplete";
    case Code::kExcessBytes:
      return "excess_bytes";
    case Code::kResolveFailed:
      return "resolve_failed";
    case Code::kResolveTimeout:
      return "resolve_timeout";
    case Code::kConnectFailed:
      return "connect_failed";
    case Code::kConnectTimeout:
      return "connect_timeout";
    case Code::kReset:
      return "reset";
    case Code::kClosedEarly:
      return "closed_early";
    case Code::kTimeout:
      return "timeout";
    case Code::kIdleTimeout:
      return "idle_timeout";
    case Code::kTooManyConnections:
      return "too_many_connections";
    case Code::kAddressNotAllowed:
      return "address_not_allowed";
    case Code::kNoMemoryLeft:
      return "no_memory_left";
    case Code::kTlsClient:
      return "tls_client";
    case Code::kTlsServer:
      return "tls_server";
    case Code::kTlsTimeout:
      return "tls_timeout";
    case Code::kBadClientHello:
      return "bad_client_hello";
    case Code::kNotHttp:
      return "not_http";
    case Code::kNameMismatch:
      return "name_mismatch";
    case Code::kIo:
      return "io";
    case Code::kBadConfig:
      return "bad_config";
    case Code::kBadPolicy:
      return "bad_policy";
    case Code::kBadKeyFile:
      return "bad_key_file";
    case Code::kAuditUnavailable:
      return "audit_unavailable";
    case Code::kBadEncoding:
      return "bad_encoding";
    case Code::kDecodeLimit:
      return "decode_limit";
    case Code::kHttp2Protocol:
      return "http2_protocol";
    case Code::kHttp2Flood:
      return "http2_flood";
    case Code::kStreamRefused:
      return "stream_refused";
    case Code::kTooManyStreams:
      return "too_many_streams";
    case Code::kBadWebSocketFrame:
      return "bad_websocket_frame";
    case Code::kShutdown:
      return "shutdown";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

std::string Error::text() const {
  std::string out(word(code));
  if (!detail.empty()) out.append(": ").append(detail);
  return out;
}

}  // namespace leash::base

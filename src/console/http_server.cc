#include "console/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <cstdlib>

#include "base/free_with.h"
#include "base/log.h"
#include "base/text.h"
#include "net/sockaddr.h"
#include "tls/https_context.h"

namespace leash::console {
namespace {

using HttpPtr = std::unique_ptr<evhttp, base::FreeWith<evhttp_free>>;
using BufferPtr = std::unique_ptr<evbuffer, base::FreeWith<evbuffer_free>>;

constexpr int kSilenceSeconds = 30;

BufferPtr buffer_of(std::string_view text) {
  BufferPtr buffer(evbuffer_new());
  if (!buffer || evbuffer_add(buffer.get(), text.data(), text.size()) != 0) std::abort();
  return buffer;
}

std::string method_word(evhttp_cmd_type command) {
  switch (command) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_PUT:
      return "PUT";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    default:
      return "OTHER";
  }
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

Request read_request(evhttp_request& raw, const base::SocketAddress& peer, bool is_tls) {
  Request out;
  out.peer = peer;
  out.is_tls = is_tls;
  out.method = method_word(evhttp_request_get_command(&raw));
  if (const evhttp_uri* uri = evhttp_request_get_evhttp_uri(&raw); uri != nullptr) {
    out.path = text_or_empty(evhttp_uri_get_path(uri));
    out.query = parse_query(text_or_empty(evhttp_uri_get_query(uri)));
    out.target_host = text_or_empty(evhttp_uri_get_host(uri));
  }
  const evkeyvalq* headers = evhttp_request_get_input_headers(&raw);
  for (const evkeyval* each = headers->tqh_first; each != nullptr; each = each->next.tqe_next) {
    out.headers.emplace_back(base::lower(each->key), each->value);
  }
  evbuffer* body = evhttp_request_get_input_buffer(&raw);
  out.body.resize(evbuffer_get_length(body));
  evbuffer_remove(body, out.body.data(), out.body.size());
  bufferevent* events = evhttp_connection_get_bufferevent(evhttp_request_get_connection(&raw));
  if (const auto local = net::local_address(bufferevent_getfd(events))) out.local = *local;
  return out;
}

}  // namespace

struct HttpServer::Impl {
  class Answer;

  net::Loop& loop;
  Options options;
  std::shared_ptr<bool> is_alive = std::make_shared<bool>(true);
  std::vector<evconnlistener*> listeners;
  std::unique_ptr<ConnectionGuard> guard;
  HttpPtr http;  // freed first: it frees the connections that the guard watches

  Impl(net::Loop& loop_in, Options options_in) : loop(loop_in), options(std::move(options_in)) {}
  ~Impl() { *is_alive = false; }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void open();
  bufferevent* make_socket() const;
  void on_request(evhttp_request& raw);

  static bufferevent* on_connection(event_base*, void* self) noexcept {
    return static_cast<Impl*>(self)->guard->make();
  }
  static void on_request_callback(evhttp_request* request, void* self) noexcept {
    static_cast<Impl*>(self)->on_request(*request);
  }
};

// A request that evhttp holds for us until it is answered or its connection is gone.
class HttpServer::Impl::Answer final : public Exchange,
                                       public EventStream,
                                       public std::enable_shared_from_this<Answer> {
 public:
  Answer(Impl& impl, evhttp_request& raw, const base::SocketAddress& peer)
      : impl_(impl),
        is_server_alive_(impl.is_alive),
        raw_(&raw),
        connection_(evhttp_request_get_connection(&raw)),
        events_(evhttp_connection_get_bufferevent(connection_)),
        request_(read_request(raw, peer, impl.options.tls != nullptr)) {}

  // Keeps itself alive until evhttp has let go of the request.
  void begin() {
    self_ = shared_from_this();
    evhttp_connection_set_closecb(connection_, &Answer::on_close, this);
    impl_.guard->begin_answer(events_);
  }

  [[nodiscard]] const Request& request() const override { return request_; }

  void reply(Reply reply) override {
    if (!is_usable() || is_answered_) return;
    is_answered_ = true;
    add_headers(reply.type, reply.headers);
    if (request_.method == "HEAD") {
      // evhttp would send a body that is given to it.
      evhttp_add_header(evhttp_request_get_output_headers(raw_), "Content-Length",
                        std::to_string(reply.body.size()).c_str());
      reply.body.clear();
      reply.pieces = nullptr;
    }
    evhttp_request_set_on_complete_cb(raw_, &Answer::on_complete, this);
    if (!reply.pieces) {
      const BufferPtr body = buffer_of(reply.body);
      evhttp_send_reply(raw_, reply.status, status_words(reply.status), body.get());
      return;
    }
    // How long a download may take is its reader's business, as long as it reads.
    impl_.guard->begin_stream(events_, nullptr);
    pieces_ = std::move(reply.pieces);
    evhttp_send_reply_start(raw_, reply.status, status_words(reply.status));
    if (reply.body.empty()) {
      ask_for_piece();
    } else {
      send_piece(reply.body);
    }
  }

  std::shared_ptr<EventStream> open_stream() override {
    if (!is_usable() || is_answered_) return shared_from_this();
    is_answered_ = true;
    add_headers("text/event-stream", {{"X-Accel-Buffering", "no"}});
    impl_.guard->begin_stream(events_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->close();
    });
    bufferevent_set_timeouts(events_, nullptr, nullptr);
    evhttp_request_set_on_complete_cb(raw_, &Answer::on_complete, this);
    evhttp_send_reply_start(raw_, 200, "OK");
    return shared_from_this();
  }

  void send(std::string_view text) override {
    if (!is_usable() || is_ended_) return;
    const BufferPtr piece = buffer_of(text);
    evhttp_send_reply_chunk(raw_, piece.get());
  }

  [[nodiscard]] std::size_t pending_bytes() const override {
    if (!is_usable()) return 0;
    return evbuffer_get_length(bufferevent_get_output(events_));
  }

  [[nodiscard]] bool is_open() const override { return is_usable() && !is_ended_; }

  void close() override {
    if (!is_usable() || is_ended_) return;
    is_ended_ = true;
    evhttp_send_reply_end(raw_);
  }

 private:
  [[nodiscard]] bool is_usable() const { return *is_server_alive_ && raw_ != nullptr; }

  void add_headers(const std::string& type, const Pairs& more) {
    evkeyvalq* headers = evhttp_request_get_output_headers(raw_);
    if (!type.empty()) evhttp_add_header(headers, "Content-Type", type.c_str());
    for (const auto& [name, value] : impl_.options.headers) {
      evhttp_add_header(headers, name.c_str(), value.c_str());
    }
    for (const auto& [name, value] : more) {
      evhttp_remove_header(headers, name.c_str());
      evhttp_add_header(headers, name.c_str(), value.c_str());
    }
  }

  void ask_for_piece() {
    impl_.options.offload([self = shared_from_this(), &loop = impl_.loop] {
      std::string piece = self->pieces_();
      loop.post([self, piece = std::move(piece)] { self->send_piece(piece); });
    });
  }

  void send_piece(const std::string& piece) {
    if (!is_usable()) return;
    if (piece.empty()) {
      is_ended_ = true;
      evhttp_send_reply_end(raw_);
      return;
    }
    const BufferPtr buffer = buffer_of(piece);
    evhttp_send_reply_chunk_with_cb(raw_, buffer.get(), &Answer::on_taken, this);
  }

  static void on_taken(evhttp_connection*, void* self) noexcept {
    auto* answer = static_cast<Answer*>(self);
    if (answer->is_usable() && !answer->is_ended_) answer->ask_for_piece();
  }
  // The answer is with the kernel; the connection may go on with another request.
  static void on_complete(evhttp_request*, void* self) noexcept {
    auto* answer = static_cast<Answer*>(self);
    evhttp_connection_set_closecb(answer->connection_, nullptr, nullptr);
    answer->impl_.guard->end_answer(answer->events_);
    answer->let_go();
  }
  static void on_close(evhttp_connection*, void* self) noexcept {
    auto* answer = static_cast<Answer*>(self);
    // A connection that breaks in the middle of an answer leaves its request to whoever answers.
    if (answer->raw_ != nullptr && evhttp_request_get_connection(answer->raw_) == nullptr) {
      evhttp_request_free(answer->raw_);
    }
    answer->let_go();
  }
  void let_go() {
    raw_ = nullptr;
    const auto last = std::exchange(self_, nullptr);
    // Whoever called may still be inside one of our methods.
    if (*is_server_alive_) impl_.loop.defer([last] {});
  }

  Impl& impl_;
  std::shared_ptr<bool> is_server_alive_;
  evhttp_request* raw_;
  evhttp_connection* connection_;
  bufferevent* events_;
  Request request_;
  Pieces pieces_;
  bool is_answered_ = false;
  bool is_ended_ = false;
  std::shared_ptr<Answer> self_;
};

bufferevent* HttpServer::Impl::make_socket() const {
  if (options.tls == nullptr) {
    return bufferevent_socket_new(loop.base(), -1, BEV_OPT_CLOSE_ON_FREE);
  }
  ssl_st* session = options.tls->new_session();
  if (session == nullptr) return nullptr;
  return bufferevent_openssl_socket_new(loop.base(), -1, session, BUFFEREVENT_SSL_ACCEPTING,
                                        BEV_OPT_CLOSE_ON_FREE);
}

void HttpServer::Impl::open() {
  ConnectionLimits limits = options.limits;
  if (options.tls != nullptr) limits.unwelcome = 0;
  const auto on_room = [this](bool has_room) {
    for (evconnlistener* listener : listeners) {
      has_room ? evconnlistener_enable(listener) : evconnlistener_disable(listener);
    }
  };
  guard = std::make_unique<ConnectionGuard>(
      loop, ConnectionGuard::Options{.limits = limits,
                                     .make_socket = [this] { return make_socket(); },
                                     .is_welcome = options.is_welcome,
                                     .on_room = on_room});
  http.reset(evhttp_new(loop.base()));
  if (!http) {
    spdlog::critical("cannot make the console's server");
    std::abort();
  }
  evhttp_set_max_headers_size(http.get(), kMaxHeadBytes);
  evhttp_set_max_body_size(http.get(), kMaxBodyBytes);
  evhttp_set_timeout(http.get(), kSilenceSeconds);
  evhttp_set_default_content_type(http.get(), nullptr);
  evhttp_set_bevcb(http.get(), &Impl::on_connection, this);
  // All that evhttp knows, so that the answer is our 405 and not its 501.
  evhttp_set_allowed_methods(http.get(), EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                             EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                             EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                             EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
  evhttp_set_gencb(http.get(), &Impl::on_request_callback, this);
}

void HttpServer::Impl::on_request(evhttp_request& raw) {
  const auto peer =
      guard->peer_of(evhttp_connection_get_bufferevent(evhttp_request_get_connection(&raw)));
  if (!peer) {
    evhttp_add_header(evhttp_request_get_output_headers(&raw), "Connection", "close");
    evhttp_send_reply(&raw, 403, status_words(403), nullptr);
    return;
  }
  const auto answer = std::make_shared<Answer>(*this, raw, *peer);
  answer->begin();
  options.on_request(answer);
}

HttpServer::HttpServer(net::Loop& loop, Options options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {
  impl_->open();
}

HttpServer::~HttpServer() = default;

base::Result<void> HttpServer::listen(base::Fd fd) {
  evhttp_bound_socket* bound = evhttp_accept_socket_with_handle(impl_->http.get(), fd.get());
  if (bound == nullptr) {
    return base::fail(base::Code::kIo, base::Fault::kProxy, "cannot accept connections");
  }
  fd.release();  // evhttp's now
  impl_->listeners.push_back(evhttp_bound_socket_get_listener(bound));
  return {};
}

}  // namespace leash::console

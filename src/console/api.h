// The endpoints of the API, each group in the file of its name.
#pragma once

#include <string>

#include "base/error.h"
#include "console/index_reader.h"
#include "console/indexer.h"
#include "console/policy_desk.h"
#include "console/policy_history.h"
#include "console/router.h"
#include "console/settings.h"

namespace leash::console {

// What handlers work with; outlives them. Each part guards itself.
struct Parts {
  const Settings& settings;
  PolicyHistory& history;
  PolicyDesk& desk;
  Indexer& indexer;
  ReaderPool& readers;
};

void add_event_routes(Router& router, Parts& parts);    // events, stats, event
void add_export_routes(Router& router, Parts& parts);   // export
void add_policy_routes(Router& router, Parts& parts);   // mode, policy, its lists and files
void add_history_routes(Router& router, Parts& parts);  // history, undo
void add_preview_routes(Router& router, Parts& parts);  // preview
void add_suggest_routes(Router& router, Parts& parts);  // suggest
void add_health_routes(Router& router, Parts& parts);   // health, index
void add_log_routes(Router& router, Parts& parts);      // the original's logs, meta, clear

// The answer to an error of a query or an edit: 400, 409, 422, 500 or 503.
[[nodiscard]] Reply error_reply(const base::Error& error);
[[nodiscard]] Reply json_reply(std::string body);
// The body as an object. Errors: bad_config.
[[nodiscard]] base::Result<JsonValue> read_body(const Request& request);
// A whole number from the query, held within bounds; `fallback` where there is none. Errors:
// bad_config where it is no number.
[[nodiscard]] base::Result<std::size_t> read_count(const Request& request, const char* name,
                                                   std::size_t fallback, std::size_t most);
void write_index_state(JsonWriter& json, const IndexStatus& status);
// The parameters that RowFilter reads.
[[nodiscard]] std::vector<Parameter> filter_parameters();

}  // namespace leash::console

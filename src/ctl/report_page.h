// A report as one HTML file.
#pragma once

#include <string>
#include <vector>

#include "audit/verifier.h"
#include "ctl/report_data.h"

namespace leash::ctl {

struct ReportFrame {
  insight::Moment made{};
  std::string period;              // as asked for: "since ..., until ..."; "" for all
  std::vector<std::string> files;  // as they were named
  audit::VerifyReport integrity;   // of the files as a whole
  std::vector<std::string> keys;   // ids of the keys that signatures were checked with; none: not
  std::size_t rows = 25;           // of each table
};

// Needs nothing from outside and runs no script: one style element, which its content security
// policy names by hash, and SVG. Everything from the log goes through html_text().
[[nodiscard]] std::string report_page(const ReportData& data, const ReportFrame& frame);

}  // namespace leash::ctl

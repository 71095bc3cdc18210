#include "config/policy_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "config/policy_content.h"
#include "config/watched_file.h"

namespace leash::config {
namespace {

using std::chrono::steady_clock;
using Look = WatchedFile::Look;
using Patience = WatchedFile::Patience;
using BlockLists = std::vector<std::shared_ptr<const policy::HostSet>>;

void append(std::vector<Finding>& to, const std::vector<Finding>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// How soon to ask again while a large file is being read.
constexpr std::chrono::milliseconds kLoadingRetry{10};

constexpr const char* kModeWithoutBlocklist =
    "mode blocklist without a usable blocklist: enforce is in force";

// The blocklist with the lists it names, which count together or not at all.
struct BlockPolicy {
  std::shared_ptr<const policy::EntryMap> entries;
  BlockLists lists;
};

}  // namespace

PolicyReading read_policy(const std::string& dir) {
  // A first look that nobody follows up: what the watched files say of a directory seen for the
  // first time.
  PolicyReading out;
  const auto look = [&](PolicyFileKind kind, const std::string& name) {
    WatchedFile file(kind, dir, name);
    file.refresh(&steady_clock::now, Patience::kAny);
    append(out.findings, file.findings());
    // Torn while it was read: say what was there.
    return file.latest();
  };
  out.mode = look(PolicyFileKind::kMode, "mode").mode;
  out.enforce = look(PolicyFileKind::kEnforce, "enforce.yaml").entries;
  const PolicyContent block = look(PolicyFileKind::kBlocklist, "blocklist.yaml");
  out.blocklist = block.entries;
  for (const std::string& name : block.lists) {
    const PolicyContent list = look(PolicyFileKind::kHostList, name);
    if (list.hosts) {
      out.block_lists.push_back(list.hosts);
    } else {
      out.findings.push_back({"blocklist.yaml", 0, "the list " + name + " cannot be used", true});
    }
  }
  if (out.mode == policy::Mode::kBlocklist && !out.blocklist) {
    out.findings.push_back({"blocklist.yaml", 0, kModeWithoutBlocklist, true});
  }
  return out;
}

std::vector<Finding> writable_policy(const std::string& dir) {
  std::vector<Finding> out;
  const auto look = [&out](const std::string& path, const std::string& name) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IWOTH) == 0) return;
    out.push_back(
        {name, 0, fmt::format("everybody can write it (mode {:o})", info.st_mode & 07777U), false});
  };
  look(dir, dir);
  for (const char* name : {"mode", "enforce.yaml", "blocklist.yaml", "agents.yaml", "leash.yaml"}) {
    look(dir + "/" + name, name);
  }
  return out;
}

struct PolicyFiles::Impl {
  // What a decision needs while no stamp differs and no deadline has passed.
  struct Published {
    std::shared_ptr<const policy::Snapshot> snapshot;
    std::shared_ptr<const policy::Snapshot> unsettled;
    std::vector<std::pair<std::string, StampResult>> stamps;
    std::size_t decisive = 0;  // so many of them are of files that a decision reads
    steady_clock::time_point deadline;
    steady_clock::time_point quiet_at;
    std::vector<Finding> findings;
  };

  Impl(std::string directory, std::function<void(const Change&)> change_callback,
       SteadyClock steady)
      : dir(std::move(directory)),
        on_change(std::move(change_callback)),
        clock(steady ? std::move(steady) : SteadyClock(&steady_clock::now)),
        mode(PolicyFileKind::kMode, dir, "mode"),
        enforce(PolicyFileKind::kEnforce, dir, "enforce.yaml"),
        blocklist(PolicyFileKind::kBlocklist, dir, "blocklist.yaml") {
    refresh_files(Patience::kAny);
    publish();
    for (WatchedFile* file : files()) file->take_was_read();
    pending_changes.clear();
  }
  ~Impl() {
    {
      const std::lock_guard lock(loader_mutex);
      is_ending = true;
    }
    loader_wake.notify_one();
    if (loader.joinable()) loader.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const std::string dir;
  const std::function<void(const Change&)> on_change;
  const SteadyClock clock;

  // Guards the files and all that is built from them. Held while a file is read and parsed.
  std::mutex reload_mutex;
  WatchedFile mode;
  WatchedFile enforce;
  WatchedFile blocklist;
  std::map<std::string, std::unique_ptr<WatchedFile>> lists;
  BlockPolicy last_block;  // the last one that was whole
  std::uint64_t generation = 0;

  // Reads large files, from the first one on. Never joined before the end: whoever did that would
  // wait for what on_change waits for.
  std::thread loader;
  std::mutex loader_mutex;  // taken while reload_mutex is held, never the other way round
  std::condition_variable loader_wake;
  bool is_load_wanted = false;
  bool is_ending = false;

  // Set before the loader begins, cleared once what it read is published. Nobody takes
  // reload_mutex in between: the loader holds it for long.
  std::atomic<bool> is_loading = false;

  // Guards only the pointer: taken for an instant at each decision.
  mutable std::mutex published_mutex;
  std::shared_ptr<const Published> published;

  // Changes in order; the thread that finds nobody delivering delivers.
  std::mutex deliver_mutex;
  std::deque<Change> pending_changes;
  bool is_delivering = false;

  std::shared_ptr<const Published> load() const {
    const std::lock_guard lock(published_mutex);
    return published;
  }

  std::vector<WatchedFile*> files() {
    // In this order: see Published::decisive.
    std::vector<WatchedFile*> all{&mode, &enforce, &blocklist};
    for (auto& [name, file] : lists) all.push_back(file.get());
    return all;
  }

  enum class Extent { kAll, kDecisive };

  Current current(Extent extent) {
    if (is_loading.load(std::memory_order_acquire)) return while_loading();
    auto state = load();
    auto now = clock();
    if (now >= state->deadline || !matches_disk(*state, extent)) {
      {
        const std::lock_guard lock(reload_mutex);
        if (is_loading.load(std::memory_order_relaxed)) return while_loading();
        switch (refresh_files(Patience::kQuick)) {
          case Look::kSame:
            break;
          case Look::kChanged:
            publish();
            break;
          case Look::kSlow:
            start_loader();
            return while_loading();
        }
        now = clock();
        state = load();
      }
      deliver();
    }
    Current out{state->snapshot, std::chrono::milliseconds(0), state->unsettled, false};
    if (state->unsettled) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(state->quiet_at - now);
      out.retry_after = std::max(left, std::chrono::milliseconds(1));
    }
    return out;
  }

  Current while_loading() const {
    const auto state = load();
    return {state->snapshot, kLoadingRetry, state->unsettled, true};
  }

  // With reload_mutex held. What was refreshed already is published with the rest.
  void start_loader() {
    is_loading.store(true, std::memory_order_release);
    const std::lock_guard lock(loader_mutex);
    is_load_wanted = true;
    if (!loader.joinable()) loader = std::thread([this] { load_large_files(); });
    loader_wake.notify_one();
  }

  void load_large_files() {
    std::unique_lock lock(loader_mutex);
    for (;;) {
      loader_wake.wait(lock, [this] { return is_load_wanted || is_ending; });
      if (is_ending) return;
      is_load_wanted = false;
      lock.unlock();
      {
        const std::lock_guard reload_lock(reload_mutex);
        refresh_files(Patience::kAny);
        publish();
        is_loading.store(false, std::memory_order_release);
      }
      deliver();
      lock.lock();
    }
  }

  static bool matches_disk(const Published& state, Extent extent) {
    const std::size_t count = extent == Extent::kAll ? state.stamps.size() : state.decisive;
    return std::all_of(state.stamps.begin(),
                       state.stamps.begin() + static_cast<std::ptrdiff_t>(count),
                       [](const auto& seen) { return stamp_of(seen.first) == seen.second; });
  }

  // kSlow: a file has to be read that takes more patience; those before it may have been.
  Look refresh_files(Patience patience) {
    Look all = Look::kSame;
    const auto refresh = [&](WatchedFile& file) {
      if (all == Look::kSlow) return;
      if (const Look look = file.refresh(clock, patience); look != Look::kSame) all = look;
    };
    for (WatchedFile* file : {&mode, &enforce, &blocklist}) refresh(*file);
    if (all == Look::kSlow) return all;
    std::vector<std::string> named = blocklist.settled().lists;
    const auto& latest = blocklist.latest().lists;
    named.insert(named.end(), latest.begin(), latest.end());
    std::erase_if(lists, [&](const auto& item) {
      return std::find(named.begin(), named.end(), item.first) == named.end();
    });
    for (const std::string& name : named) {
      auto& file = lists[name];
      if (!file) file = std::make_unique<WatchedFile>(PolicyFileKind::kHostList, dir, name);
      refresh(*file);
    }
    return all;
  }

  // nullopt where the blocklist, or a list that it names, was never usable.
  template <class Pick>
  std::optional<BlockPolicy> block_policy(Pick pick) {
    const PolicyContent& content = pick(blocklist);
    if (!content.is_usable) return std::nullopt;
    BlockPolicy out{content.entries, {}};
    for (const std::string& name : content.lists) {
      const auto& hosts = pick(*lists.at(name)).hosts;
      if (!hosts) return std::nullopt;
      out.lists.push_back(hosts);
    }
    return out;
  }

  template <class Pick>
  policy::Snapshot build(Pick pick, const BlockPolicy& block) {
    static const auto no_entries = std::make_shared<const policy::EntryMap>();
    policy::Snapshot out;
    out.mode = pick(mode).mode.value_or(policy::Mode::kEnforce);
    out.enforce = pick(enforce).entries ? pick(enforce).entries : no_entries;
    out.blocklist = block.entries ? block.entries : no_entries;
    out.block_lists = block.lists;
    // Without a blocklist that mode would let everything through.
    if (out.mode == policy::Mode::kBlocklist && !block.entries) out.mode = policy::Mode::kEnforce;
    return out;
  }

  static bool says_the_same(const policy::Snapshot& a, const policy::Snapshot& b) {
    return a.mode == b.mode && a.enforce == b.enforce && a.blocklist == b.blocklist &&
           a.block_lists == b.block_lists;
  }

  void publish() {
    const auto before = load();
    const auto settled = [](const WatchedFile& file) -> const PolicyContent& {
      return file.settled();
    };
    const auto latest = [](const WatchedFile& file) -> const PolicyContent& {
      return file.latest();
    };
    auto next = std::make_shared<Published>();
    if (auto block = block_policy(settled)) {
      last_block = std::move(*block);
    } else if (blocklist.settled().is_usable) {
      next->findings.push_back(
          {"blocklist.yaml", 0,
           last_block.entries
               ? "a list that it names cannot be used: the last whole blocklist stays in force"
               : "a list that it names cannot be used: nothing of it is in force",
           true});
    }
    policy::Snapshot snapshot = build(settled, last_block);
    if (mode.settled().mode == policy::Mode::kBlocklist && !last_block.entries) {
      next->findings.push_back({"blocklist.yaml", 0, kModeWithoutBlocklist, true});
    }
    if (before && says_the_same(*before->snapshot, snapshot)) {
      next->snapshot = before->snapshot;
    } else {
      snapshot.generation = ++generation;
      next->snapshot = std::make_shared<const policy::Snapshot>(std::move(snapshot));
    }

    bool is_pending = false;
    next->deadline = steady_clock::time_point::max();
    std::vector<std::string> read;
    for (WatchedFile* file : files()) {
      next->stamps.emplace_back(file->path(), file->seen());
      next->deadline = std::min(next->deadline, file->deadline());
      append(next->findings, file->findings());
      if (file == &enforce) next->decisive = next->stamps.size();
      if (file->take_was_read()) read.push_back(file->name());
      if (file->is_pending()) {
        next->quiet_at = is_pending ? std::max(next->quiet_at, file->quiet_at()) : file->quiet_at();
        is_pending = true;
      }
    }
    if (is_pending) {
      policy::Snapshot unsettled = build(latest, block_policy(latest).value_or(last_block));
      unsettled.generation = ++generation;
      next->unsettled = std::make_shared<const policy::Snapshot>(std::move(unsettled));
    }
    const bool reads_blocklist = mode.settled().mode == policy::Mode::kBlocklist ||
                                 mode.latest().mode == policy::Mode::kBlocklist;
    if (reads_blocklist) next->decisive = next->stamps.size();
    if (before) note_change(*before, *next, std::move(read));
    const std::lock_guard lock(published_mutex);
    published = std::move(next);
  }

  void note_change(const Published& before, const Published& after, std::vector<std::string> read) {
    if (before.snapshot == after.snapshot && before.findings == after.findings) return;
    Change change{before.snapshot, after.snapshot, std::move(read), after.findings, {}};
    for (const Finding& finding : after.findings) {
      if (std::find(before.findings.begin(), before.findings.end(), finding) ==
          before.findings.end()) {
        change.new_findings.push_back(finding);
      }
    }
    const std::lock_guard lock(deliver_mutex);
    pending_changes.push_back(std::move(change));
  }

  void deliver() {
    std::unique_lock lock(deliver_mutex);
    if (is_delivering) return;
    is_delivering = true;
    while (!pending_changes.empty()) {
      const Change change = std::move(pending_changes.front());
      pending_changes.pop_front();
      lock.unlock();
      if (on_change) on_change(change);
      lock.lock();
    }
    is_delivering = false;
  }
};

PolicyFiles::PolicyFiles(std::string dir, std::function<void(const Change&)> on_change,
                         SteadyClock clock)
    : impl_(std::make_unique<Impl>(std::move(dir), std::move(on_change), std::move(clock))) {}

PolicyFiles::~PolicyFiles() = default;

PolicyFiles::Current PolicyFiles::current() { return impl_->current(Impl::Extent::kAll); }

PolicyFiles::Current PolicyFiles::for_decision() { return impl_->current(Impl::Extent::kDecisive); }

std::vector<Finding> PolicyFiles::findings() const { return impl_->load()->findings; }

const std::string& PolicyFiles::dir() const { return impl_->dir; }

}  // namespace leash::config

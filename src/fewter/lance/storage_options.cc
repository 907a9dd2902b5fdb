#include "fewter/lance/storage_options.h"

#include <dlfcn.h>

#include <algorithm>
#include <any>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <arrow/filesystem/s3fs.h>
#include <arrow/util/config.h>
#include <arrow/util/uri.h>
#ifdef ARROW_AZURE
#include <arrow/filesystem/azurefs.h>
#endif
#ifdef ARROW_GCS
#include <arrow/filesystem/gcsfs.h>
#endif

#include "fewter/lance/aws_profile_internal.h"
#include "fewter/lance/redaction_internal.h"
#include "fewter/lance/s3_library_internal.h"
#include "fewter/util/argument_error.h"
#include "fewter/util/similar_names.h"

namespace fewter::lance {

namespace {

using std::string_view_literals::operator""sv;

/// Options of a dataset's writer, of Lance's own client, or of proxies, which change nothing about what is read.
constexpr std::string_view kIgnored[] = {"allow_http",
                                         "allow_invalid_certificates",
                                         "bucket",
                                         "bucket_name",
                                         "checksum_algorithm",
                                         "conditional_put",
                                         "container_name",
                                         "copy_if_not_exists",
                                         "disable_tagging",
                                         "download_retry_count",
                                         "headers",
                                         "server_side_encryption",
                                         "sse_bucket_key_enabled",
                                         "sse_kms_key_id",
                                         "unsigned_payload",
                                         "user_agent"};

/// Values that no message shows.
constexpr std::string_view kSecrets[] = {"access_key_id", "secret_access_key", "session_token", "token",
                                         "storage_token", "account_key",       "access_key",    "master_key",
                                         "sas_token",     "sas_key",           "client_secret"};
constexpr const char* kSecretVariables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                            "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_CLIENT_SECRET"};

/// The options of one store, taken one after another; what nobody has taken at the end is not known.
class Options {
 public:
  /// One of the prefixes, the longest that fits first, may stand before every name.
  Options(const StorageOptions& options, std::initializer_list<std::string_view> prefixes) {
    for (const auto& [name, value] : options) {
      const std::string lower = Named(name, prefixes);
      if (std::ranges::count(kSecrets, lower) > 0) NoteSecret(value);
      if (!lower.starts_with("lance_")) values_[lower] = value;
    }
    for (const std::string_view name : kIgnored) values_.erase(std::string(name));
  }

  /// A name as it is looked for.
  static std::string Named(std::string name, std::initializer_list<std::string_view> prefixes) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const std::string_view prefix : prefixes) {
      if (name.starts_with(prefix)) return name.substr(prefix.size());
    }
    return name;
  }

  /// The value of the first of these names that is given, all of which are taken.
  std::optional<std::string> Take(std::initializer_list<std::string_view> names) {
    std::optional<std::string> taken;
    for (const std::string_view name : names) {
      known_.emplace_back(name);
      const auto found = values_.find(name);
      if (found == values_.end()) continue;
      if (!taken) taken = found->second;
      values_.erase(found);
    }
    return taken;
  }

  arrow::Result<std::optional<bool>> TakeFlag(std::initializer_list<std::string_view> names) {
    const auto value = Take(names);
    if (!value) return std::nullopt;
    for (const std::string_view yes : {"true"sv, "1"sv, "yes"sv, "on"sv}) {
      if (*value == yes) return true;
    }
    for (const std::string_view no : {"false"sv, "0"sv, "no"sv, "off"sv}) {
      if (*value == no) return false;
    }
    return ArgumentError("storage option '", *names.begin(), "' is neither true nor false");
  }

  arrow::Result<std::optional<uint32_t>> TakeNumber(std::initializer_list<std::string_view> names) {
    const auto value = Take(names);
    if (!value) return std::nullopt;
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (error == std::errc() && end == value->data() + value->size()) return number;
    return ArgumentError("storage option '", *names.begin(), "' is not a whole number");
  }

  arrow::Status CheckAllTaken(std::string_view store) const {
    if (values_.empty()) return arrow::Status::OK();
    const std::string& name = values_.begin()->first;
    return ArgumentError("storage option '", name, "' is not known for ", store, DidYouMean(name, known_));
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  /// The names that were asked for.
  std::vector<std::string> known_;
};

/// pylance's words for a duration, "500ms" or "30s", in seconds.
arrow::Result<double> SecondsOf(std::string_view name, const std::string& value) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1e-3}, {"s", 1}, {"sec", 1}, {"seconds", 1}, {"m", 60}, {"min", 60}, {"minutes", 60}};
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  std::string_view unit(end, static_cast<size_t>(value.data() + value.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [known, seconds] : kUnits) {
    if (error == std::errc() && number > 0 && unit == known) return number * seconds;
  }
  return ArgumentError("storage option '", name, "' is not a time, as in 500ms, 30s or 1m");
}

/// Google's and Azure's clients have none to set.
arrow::Result<S3Timeouts> TakeTimeouts(Options* options) {
  S3Timeouts timeouts;
  if (const auto value = options->Take({"connect_timeout"})) {
    ARROW_ASSIGN_OR_RAISE(timeouts.connect, SecondsOf("connect_timeout", *value));
  }
  if (const auto value = options->Take({"timeout", "request_timeout"})) {
    ARROW_ASSIGN_OR_RAISE(timeouts.stall, SecondsOf("timeout", *value));
  }
  return timeouts;
}

/// pylance's words: retries after the first attempt, and seconds for all of them.
arrow::Result<RetryPolicy> TakeRetryPolicy(Options* options) {
  RetryPolicy policy;
  ARROW_ASSIGN_OR_RAISE(const auto retries, options->TakeNumber({"client_max_retries"}));
  ARROW_ASSIGN_OR_RAISE(const auto seconds, options->TakeNumber({"client_retry_timeout"}));
  if (retries) policy.max_attempts = std::max(*retries, *retries + 1);
  if (seconds) policy.timeout = std::chrono::seconds(*seconds);
  return policy;
}

/// Arrow may keep the file system of a scheme in a library of its own, beside its main one, so that its start-up is
/// paid for only by who needs it: pyarrow's libarrow_s3.so.2600 lies next to libarrow.so.2600. Without one, the main
/// library; empty if even that is unknown.
std::string FileSystemLibrary(const std::string& scheme) {
  static constexpr std::string_view kArrow = "libarrow.so";
  static constexpr std::string_view kOfScheme = "abcdefghijklmnopqrstuvwxyz0123456789";
  if (scheme.find_first_not_of(kOfScheme) != std::string::npos) return {};
  Dl_info arrow_library;
  if (dladdr(reinterpret_cast<void*>(&arrow::fs::LoadFileSystemFactories), &arrow_library) == 0) return {};
  std::string main = arrow_library.dli_fname;
  const size_t name = main.rfind(kArrow);
  if (name == std::string::npos) return main;
  std::string path = main;
  path.replace(name, kArrow.size(), "libarrow_" + scheme + ".so");
  return std::filesystem::exists(path) ? path : main;
}

arrow::Result<std::shared_ptr<arrow::fs::FileSystem>> MakeFileSystem(const std::string& uri,
                                                                     const arrow::fs::FileSystemFactoryOptions& options,
                                                                     std::string* root) {
  const auto make = [&] {
    return options.empty() ? arrow::fs::FileSystemFromUri(uri, root)
                           : arrow::fs::FileSystemFromUriAndOptions(uri, options, root);
  };
  auto fs = make();
  // An unknown scheme is Invalid, as is a URI that makes no sense, and options for a scheme that is not there yet are
  // NotImplemented; if the library changes nothing, the second try fails in the same way.
  if (!fs.status().IsInvalid() && !fs.status().IsNotImplemented()) return fs;
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  const std::string library = FileSystemLibrary(uri.substr(0, uri.find(':')));
  return !library.empty() && arrow::fs::LoadFileSystemFactories(library.c_str()).ok() ? make() : fs;
}

/// The S3 library crashes at the program's end if nobody has shut it down. Arrow offers that but leaves it to the user;
/// a program that has done so already loses nothing. Where the URI was refused the library may have been started or
/// not, and what is started after this is registered is gone by the time that it is called: so it is registered once
/// more where one was not.
void ShutDownAtExit(bool was_refused) {
  const auto shut_down = [] { arrow::fs::EnsureFinalized(); };
  if (was_refused) {
    static const int registered = std::atexit(shut_down);
    static_cast<void>(registered);
  } else {
    static const int registered = std::atexit(shut_down);
    static_cast<void>(registered);
  }
}

std::optional<std::string> FromEnvironment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') return value;
  }
  return std::nullopt;
}

// ---- S3 ----

/// Repetitions are ours (Retries): they are counted, have a deadline and are the same for reads and listings.
class NoRetries final : public arrow::fs::S3RetryStrategy {
 public:
  bool ShouldRetry(const AWSErrorDetail&, int64_t) override { return false; }
  int64_t CalculateDelayBeforeNextRetry(const AWSErrorDetail&, int64_t) override { return 0; }
};

/// What is added to an s3:// URI, each with the '?' or '&' before it.
class UriParameters {
 public:
  explicit UriParameters(std::string uri) : uri_(std::move(uri)) {}
  bool Has(std::string_view name) const { return uri_.find(std::string(name) + "=") != std::string::npos; }
  void Add(std::string_view name, const std::string& value) {
    if (Has(name)) return;
    uri_ += uri_.find('?') == std::string::npos ? '?' : '&';
    uri_ += std::string(name) + "=" + arrow::util::UriEscape(value);
  }
  const std::string& uri() const { return uri_; }

 private:
  std::string uri_;
};

/// Puts what a profile has in the place of options that are not given.
arrow::Status AddProfile(StorageOptions* options) {
  Options names(*options, {"aws_"});
  const auto profile = names.Take({"profile"});
  if (!profile) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const AwsProfile found, ReadAwsProfile(*profile));
  std::erase_if(*options, [](const auto& option) { return Options::Named(option.first, {"aws_"}) == "profile"; });
  if (!names.Take({"access_key_id"})) {
    options->emplace("access_key_id", found.access_key_id);
    options->emplace("secret_access_key", found.secret_access_key);
    if (found.session_token) options->emplace("session_token", *found.session_token);
  }
  if (found.region && !names.Take({"region", "default_region"})) options->emplace("region", *found.region);
  if (found.endpoint_url && !names.Take({"endpoint", "endpoint_url", "endpoint_url_s3"})) {
    options->emplace("endpoint", *found.endpoint_url);
  }
  return arrow::Status::OK();
}

/// "https://host:port/" in parts.
arrow::Status AddEndpoint(const std::string& endpoint, UriParameters* parameters) {
  const size_t scheme_end = endpoint.find("://");
  std::string host = scheme_end == std::string::npos ? endpoint : endpoint.substr(scheme_end + 3);
  while (host.ends_with('/')) host.pop_back();
  if (host.empty() || host.find_first_of("/?#@") != std::string::npos) {
    return ArgumentError("storage option 'endpoint' is not a server, as in https://host:9000");
  }
  if (scheme_end != std::string::npos) parameters->Add("scheme", endpoint.substr(0, scheme_end));
  parameters->Add("endpoint_override", host);
  return arrow::Status::OK();
}

arrow::Status AddKeys(Options* options, arrow::fs::FileSystemFactoryOptions* keys) {
  const auto id = options->Take({"access_key_id"});
  const auto secret = options->Take({"secret_access_key"});
  const auto token = options->Take({"session_token", "token"});
  ARROW_ASSIGN_OR_RAISE(const auto unsigned_requests, options->TakeFlag({"skip_signature", "anonymous"}));
  if (unsigned_requests.value_or(false)) {
    // With empty keys Amazon's library signs nothing.
    keys->emplace_back("access_key", std::string());
    keys->emplace_back("secret_key", std::string());
    return arrow::Status::OK();
  }
  if (id.has_value() != secret.has_value() || (token && !id)) {
    return ArgumentError("storage options: access_key_id and secret_access_key go together, session_token with them");
  }
  if (!id) return arrow::Status::OK();
  keys->emplace_back("access_key", *id);
  keys->emplace_back("secret_key", *secret);
  if (token) keys->emplace_back("session_token", *token);
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::fs::FileSystem>> MakeS3(const std::string& uri,
                                                             const arrow::fs::FileSystemFactoryOptions& options,
                                                             const S3Timeouts& timeouts, std::string* root) {
  static const std::string library = FileSystemLibrary("s3");
  static const arrow::Status loaded = arrow::fs::LoadFileSystemFactories(library.c_str());
  if (loaded.ok()) {
    ARROW_ASSIGN_OR_RAISE(auto made, MakeS3WithTimeouts(uri, options, timeouts, library, root));
    if (made != nullptr) return made;
  }
  return MakeFileSystem(uri, options, root);
}

arrow::Result<OpenedFileSystem> OpenS3(const std::string& uri, StorageOptions storage_options) {
  ARROW_RETURN_NOT_OK(AddProfile(&storage_options));
  Options options(storage_options, {"aws_"});
  OpenedFileSystem opened;
  ARROW_ASSIGN_OR_RAISE(opened.retry, TakeRetryPolicy(&options));
  ARROW_ASSIGN_OR_RAISE(const S3Timeouts timeouts, TakeTimeouts(&options));
  UriParameters parameters(uri);
  auto endpoint = options.Take({"endpoint", "endpoint_url", "endpoint_url_s3"});
  if (!endpoint) endpoint = FromEnvironment({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"});
  if (!endpoint) endpoint = EndpointOfCurrentAwsProfile();
  if (endpoint && !parameters.Has("endpoint_override")) ARROW_RETURN_NOT_OK(AddEndpoint(*endpoint, &parameters));
  auto region = options.Take({"region", "default_region"});
  if (!region) region = FromEnvironment({"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (region) parameters.Add("region", *region);
  ARROW_ASSIGN_OR_RAISE(const auto virtual_hosted, options.TakeFlag({"virtual_hosted_style_request"}));
  if (virtual_hosted && *virtual_hosted == parameters.Has("endpoint_override")) {
    return arrow::Status::NotImplemented(
        "storage option 'virtual_hosted_style_request': with an endpoint the bucket is "
        "part of the path, without one it is part of the host's name");
  }
  arrow::fs::FileSystemFactoryOptions factory_options;
  ARROW_RETURN_NOT_OK(AddKeys(&options, &factory_options));
  ARROW_RETURN_NOT_OK(options.CheckAllTaken("s3"));
  factory_options.emplace_back("retry_strategy",
                               std::shared_ptr<arrow::fs::S3RetryStrategy>(std::make_shared<NoRetries>()));
  auto made = MakeS3(parameters.uri(), factory_options, timeouts, &opened.root);
  // Also if it failed, since looking for the bucket's region has started the library.
  ShutDownAtExit(made.status().IsInvalid());
  ARROW_ASSIGN_OR_RAISE(opened.fs, std::move(made));
  return opened;
}

// ---- Google ----

#ifdef ARROW_GCS
/// Repetitions are ours (Retries), as on S3, so Google's client gets no time for any: seconds that are over when the
/// first answer comes, but not before it is asked for. Should they be, it says so (IsTransient).
constexpr double kNoTimeToRepeat = 0.001;

/// The text of a file of credentials, which messages name but do not repeat.
arrow::Result<std::string> ReadCredentials(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.good() && !text.empty()) return text;
  return ArgumentError("storage option 'service_account': ", path, " cannot be read");
}

/// If no option says anything, the usual chain is asked.
arrow::Status SetCredentials(Options* options, arrow::fs::GcsOptions* gcs) {
  auto key = options->Take({"service_account_key"});
  const auto path = options->Take({"service_account", "service_account_path", "application_credentials"});
  const auto token = options->Take({"storage_token", "token"});
  ARROW_ASSIGN_OR_RAISE(const auto unsigned_requests, options->TakeFlag({"skip_signature", "anonymous"}));
  if (unsigned_requests.value_or(false)) {
    gcs->credentials = arrow::fs::GcsOptions::Anonymous().credentials;
    return arrow::Status::OK();
  }
  if (token) {
    // Until when it is good only the store knows.
    constexpr auto kUnknown = arrow::fs::TimePoint::max();
    gcs->credentials = arrow::fs::GcsOptions::FromAccessToken(*token, kUnknown).credentials;
    return arrow::Status::OK();
  }
  if (!key && path) {
    ARROW_ASSIGN_OR_RAISE(key, ReadCredentials(*path));
  }
  if (key) gcs->credentials = arrow::fs::GcsOptions::FromServiceAccountCredentials(*key).credentials;
  return arrow::Status::OK();
}
#endif

arrow::Result<OpenedFileSystem> OpenGoogle(const std::string& uri, const StorageOptions& storage_options) {
#ifdef ARROW_GCS
  Options options(storage_options, {"google_"});
  OpenedFileSystem opened;
  ARROW_ASSIGN_OR_RAISE(opened.retry, TakeRetryPolicy(&options));
  ARROW_RETURN_NOT_OK(TakeTimeouts(&options).status());
  ARROW_ASSIGN_OR_RAISE(auto gcs, arrow::fs::GcsOptions::FromUri(uri, &opened.root));
  ARROW_RETURN_NOT_OK(SetCredentials(&options, &gcs));
  if (auto endpoint = options.Take({"base_url", "endpoint"})) {
    const size_t scheme_end = endpoint->find("://");
    if (scheme_end != std::string::npos) {
      gcs.scheme = endpoint->substr(0, scheme_end);
      endpoint->erase(0, scheme_end + 3);
    }
    gcs.endpoint_override = *endpoint;
  }
  ARROW_RETURN_NOT_OK(options.CheckAllTaken("gs"));
  if (!gcs.retry_limit_seconds) gcs.retry_limit_seconds = kNoTimeToRepeat;
  ARROW_ASSIGN_OR_RAISE(opened.fs, arrow::fs::GcsFileSystem::Make(gcs));
  return opened;
#else
  return arrow::Status::NotImplemented(uri.substr(0, uri.find(':')), ": this Arrow was built without Google's store");
#endif
}

// ---- Azure ----

#ifdef ARROW_AZURE
/// The account, key and place of Azurite, Microsoft's emulator, as its manual has them.
constexpr char kEmulatorAccount[] = "devstoreaccount1";
constexpr char kEmulatorKey[] =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
constexpr char kEmulatorEndpoint[] = "http://127.0.0.1:10000";

/// "https://account.blob.core.windows.net", or "http://host:port/account" as emulators have it.
arrow::Status SetEndpoint(std::string endpoint, arrow::fs::AzureOptions* azure) {
  const size_t scheme_end = endpoint.find("://");
  if (scheme_end != std::string::npos) {
    azure->blob_storage_scheme = azure->dfs_storage_scheme = endpoint.substr(0, scheme_end);
    endpoint.erase(0, scheme_end + 3);
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::string in_path = "/" + azure->account_name;
  const std::string in_host = azure->account_name + ".";
  if (endpoint.ends_with(in_path)) {
    endpoint.resize(endpoint.size() - in_path.size());
  } else if (endpoint.starts_with(in_host)) {
    endpoint.erase(0, in_host.size() - 1);
  }
  if (endpoint.empty() || endpoint.find_first_of("/?#@") != std::string::npos) {
    return ArgumentError(
        "storage option 'endpoint' is not a server, as in https://ACCOUNT.blob.core.windows.net or "
        "http://127.0.0.1:10000/ACCOUNT");
  }
  azure->blob_storage_authority = azure->dfs_storage_authority = endpoint;
  static constexpr std::string_view kBlob = ".blob.";
  if (endpoint.starts_with(kBlob)) azure->dfs_storage_authority = ".dfs." + endpoint.substr(kBlob.size());
  return arrow::Status::OK();
}

/// If no option says anything, the usual chain is asked.
arrow::Status SetCredentials(Options* options, bool is_emulator, arrow::fs::AzureOptions* azure) {
  auto key = options->Take({"account_key", "access_key", "master_key"});
  const auto sas = options->Take({"sas_token", "sas_key"});
  const auto client = options->Take({"client_id"});
  const auto secret = options->Take({"client_secret"});
  const auto tenant = options->Take({"tenant_id", "authority_id"});
  ARROW_ASSIGN_OR_RAISE(const auto unsigned_requests, options->TakeFlag({"skip_signature", "anonymous"}));
  ARROW_ASSIGN_OR_RAISE(const auto asks_cli, options->TakeFlag({"use_azure_cli"}));
  if (!key) key = FromEnvironment({"AZURE_STORAGE_ACCOUNT_KEY"});
  if (!key && is_emulator) key = kEmulatorKey;
  if (unsigned_requests.value_or(false)) return azure->ConfigureAnonymousCredential();
  if (sas) return azure->ConfigureSASCredential(sas->starts_with('?') ? *sas : "?" + *sas);
  if (secret.has_value() != tenant.has_value() || (secret && !client)) {
    return ArgumentError("storage options: client_id, client_secret and tenant_id go together");
  }
  if (secret) return azure->ConfigureClientSecretCredential(*tenant, *client, *secret);
  if (client) return azure->ConfigureManagedIdentityCredential(*client);
  if (asks_cli.value_or(false)) return azure->ConfigureCLICredential();
  if (key) return azure->ConfigureAccountKeyCredential(*key);
  return arrow::Status::OK();
}
#endif

/// az://container/path as Arrow writes it, with the account's name.
arrow::Result<OpenedFileSystem> OpenAzure(const std::string& uri, const StorageOptions& storage_options) {
#ifdef ARROW_AZURE
  Options options(storage_options, {"azure_storage_", "azure_"});
  OpenedFileSystem opened;
  ARROW_ASSIGN_OR_RAISE(opened.retry, TakeRetryPolicy(&options));
  ARROW_RETURN_NOT_OK(TakeTimeouts(&options).status());
  ARROW_ASSIGN_OR_RAISE(const auto emulated, options.TakeFlag({"use_emulator"}));
  const bool is_emulator = emulated.value_or(false);
  const std::string rest = uri.substr(uri.find("://") + 3);
  auto account = options.Take({"account_name"});
  if (!account) account = FromEnvironment({"AZURE_STORAGE_ACCOUNT_NAME"});
  if (!account && is_emulator) account = kEmulatorAccount;
  const bool names_account = rest.substr(0, rest.find('/')).find_first_of("@.") != std::string::npos;
  if (!account && !names_account) return ArgumentError("az:// needs the storage option account_name");
  ARROW_ASSIGN_OR_RAISE(auto azure, arrow::fs::AzureOptions::FromUri(
                                        "abfs://" + (names_account ? "" : *account + "@") + rest, &opened.root));
  auto endpoint = options.Take({"endpoint"});
  if (!endpoint) endpoint = FromEnvironment({"AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"});
  if (!endpoint && is_emulator) endpoint = FromEnvironment({"AZURITE_BLOB_STORAGE_URL"}).value_or(kEmulatorEndpoint);
  if (endpoint) ARROW_RETURN_NOT_OK(SetEndpoint(*endpoint, &azure));
  ARROW_RETURN_NOT_OK(SetCredentials(&options, is_emulator, &azure));
  ARROW_RETURN_NOT_OK(options.CheckAllTaken("az"));
  ARROW_ASSIGN_OR_RAISE(opened.fs, arrow::fs::AzureFileSystem::Make(azure));
  return opened;
#else
  return arrow::Status::NotImplemented(uri.substr(0, uri.find(':')), ": this Arrow was built without Azure's store");
#endif
}

arrow::Result<OpenedFileSystem> OpenByScheme(const std::string& scheme, const std::string& uri,
                                             const StorageOptions& options) {
  for (const char* name : kSecretVariables) {
    if (const auto value = FromEnvironment({name})) NoteSecret(*value);
  }
  if (scheme == "s3") return OpenS3(uri, options);
  if (scheme == "gs" || scheme == "gcs") return OpenGoogle(uri, options);
  if (scheme == "az" || scheme == "abfs" || scheme == "abfss") return OpenAzure(uri, options);
  OpenedFileSystem opened;
  ARROW_ASSIGN_OR_RAISE(opened.fs, MakeFileSystem(uri, {}, &opened.root));
  if (scheme != "file" && !options.empty()) {
    return ArgumentError("storage option '", options.begin()->first, "' is not known for ", scheme);
  }
  return opened;
}

bool IsHexDigit(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

/// The URI with what may not stand in a path escaped, as people and pylance write it: spaces, letters beyond ASCII,
/// and '#', which is a name's and not the start of a fragment. Escapes stay as they are.
std::string WithEscapedPath(const std::string& uri, size_t scheme_length) {
  static constexpr std::string_view kPunctuation = "-._~!$&'()*+,;=:@/";
  const bool names_server = uri.compare(scheme_length, 3, "://") == 0;
  const size_t path = std::min(names_server ? uri.find('/', scheme_length + 3) : scheme_length, uri.size());
  const size_t end = std::min(uri.find('?', path), uri.size());
  std::string escaped = uri.substr(0, path);
  for (size_t i = path; i < end; ++i) {
    const char c = uri[i];
    const bool is_escape = c == '%' && i + 2 < end && IsHexDigit(uri[i + 1]) && IsHexDigit(uri[i + 2]);
    const bool is_plain = static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (is_plain || is_escape || kPunctuation.find(c) != std::string_view::npos) {
      escaped += c;
    } else {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      escaped.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return escaped + uri.substr(end);
}

}  // namespace

arrow::Result<OpenedFileSystem> OpenFileSystem(const std::string& uri, const StorageOptions& options) {
  const std::string scheme = uri.substr(0, uri.find(':'));
  const std::string escaped = WithEscapedPath(uri, scheme.size());
  if (escaped.ends_with("://")) return ArgumentError("the location ", uri, " names no place there");
  auto opened = OpenByScheme(scheme, escaped, options);
  if (!opened.status().IsInvalid() || IsArgumentError(opened.status())) return opened;
  // Arrow's message may repeat the URI, and that may hold a password.
  const bool has_user = uri.find('@') != std::string::npos;
  return ArgumentError("the location ", scheme, "://... is none that can be opened",
                       has_user ? "" : ": " + opened.status().message());
}

}  // namespace fewter::lance

#include <arrow/util/config.h>
#include <arrow/util/uri.h>
#ifdef ARROW_AZURE
#include <arrow/filesystem/azurefs.h>
#endif
#ifdef ARROW_GCS
#include <arrow/filesystem/gcsfs.h>
#endif

#include "fewter/lance/store_name_internal.h"

namespace fewter::lance {

std::string NameOfStore(const arrow::fs::FileSystem& fs, const std::string& root) {
  const std::string type = fs.type_name();
  if (type == "local") return root;
  if (type == "abfs") return "az://" + root;
  if (type == "gcs") return "gs://" + root;
  // Of a file system's URI only the scheme. Arrow writes user and password into it without escaping them, so where they
  // end cannot be told if they hold a '/', and nothing near them is kept.
  const std::string uri = fs.MakeUri("/" + root).ValueOr("");
  const size_t scheme_end = uri.find("://");
  return (scheme_end == std::string::npos ? type : uri.substr(0, scheme_end)) + "://" + root;
}

std::string ServerOfStore(const arrow::fs::FileSystem& fs, const std::string& root) {
  static constexpr std::string_view kServer = "endpoint_override=";
  if (fs.type_name() == "local") return "";
#ifdef ARROW_AZURE
  if (const auto* azure = dynamic_cast<const arrow::fs::AzureFileSystem*>(&fs)) {
    // The same container of two accounts is not the same.
    const std::string server = "?account=" + arrow::util::UriEscape(azure->options().account_name);
    const std::string& authority = azure->options().blob_storage_authority;
    const bool is_own = authority == arrow::fs::AzureOptions().blob_storage_authority;
    return is_own ? server : server + "&" + std::string(kServer) + arrow::util::UriEscape(authority);
  }
#endif
#ifdef ARROW_GCS
  if (const auto* google = dynamic_cast<const arrow::fs::GcsFileSystem*>(&fs)) {
    const std::string& server = google->options().endpoint_override;
    return server.empty() ? "" : "?" + std::string(kServer) + arrow::util::UriEscape(server);
  }
#endif
  const std::string uri = fs.MakeUri("/" + root).ValueOr("");
  const size_t server = uri.rfind(kServer);
  if (server == std::string::npos) return "";
  const std::string value = uri.substr(server, uri.find('&', server) - server);
  return value.size() > kServer.size() ? "?" + value : "";
}

}  // namespace fewter::lance

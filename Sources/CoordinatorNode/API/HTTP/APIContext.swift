// SPDX-License-Identifier: Apache-2.0

package import Hummingbird

/// What the server tells an adapter of a request besides the request: nothing. Routing is by the adapters' own tables.
package struct APIContext: InitializableFromSource {
    package init(source: ApplicationRequestContextSource) {}
}

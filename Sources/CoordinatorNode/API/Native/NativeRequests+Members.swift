// SPDX-License-Identifier: Apache-2.0

import ClusterConfiguration
import Raft
import StrictJSON

extension NativeRequests {
    private static let memberFields = ["id", "storage_id", "peer_address", "client_address"]

    /// `POST /v1/cluster/members`: one of `add`, `promote` and `remove` (together, if wanted), and `go_back`.
    static func membershipChange(_ value: JSONValue) throws(FieldError) -> MembershipChange {
        let object = try JSONObject(value, fields: ["add", "promote", "remove", "go_back"])
        let add = object.optional("add")
        let goBack = try object.optional("go_back")?.bool() ?? false
        let promote = try self.nodeIDs(object.optional("promote"))
        let remove = try self.nodeIDs(object.optional("remove"))
        let isChange = !promote.isEmpty || !remove.isEmpty
        guard [add != nil, goBack, isChange].count(where: { $0 }) == 1 else {
            throw value.error("expected either add, or promote and remove or one of them, or go_back")
        }
        if let add {
            var members: [Member] = []
            for element in try add.elements(count: 1...Membership.maximumMembers, named: "members") {
                members.append(try self.member(element))
            }
            return .addLearners(members)
        }
        return goBack ? .goBack : .change(promote: promote, remove: remove)
    }

    private static func nodeIDs(_ value: JSONValue?) throws(FieldError) -> [NodeID] {
        var nodeIDs: [NodeID] = []
        for element in try value?.elements(count: 1...Membership.maximumMembers, named: "nodes") ?? [] {
            nodeIDs.append(try self.nodeID(element))
        }
        return nodeIDs
    }

    private static func nodeID(_ value: JSONValue) throws(FieldError) -> NodeID {
        let name = try value.string()
        guard (1...NodeID.maximumLength).contains(name.utf8.count) else {
            throw value.error("expected the id of a node")
        }
        return NodeID(rawValue: name)
    }

    private static func member(_ value: JSONValue) throws(FieldError) -> Member {
        let object = try JSONObject(value, fields: self.memberFields)
        let storage = try object.required("storage_id")
        let digits = try storage.string()
        guard digits.utf8.count == 16, !digits.hasPrefix("+"),
            let storageID = UInt64(digits, radix: 16), storageID != 0
        else { throw storage.error("expected the id of the node's data folder: 16 hexadecimal digits") }
        return Member(
            nodeID: try self.nodeID(object.required("id")), storageID: StorageID(rawValue: storageID),
            peerAddress: try self.address(object.required("peer_address")),
            clientAddress: try self.address(object.required("client_address")))
    }

    private static func address(_ value: JSONValue) throws(FieldError) -> String {
        let text = try value.string()
        guard text.utf8.count <= Member.maximumAddressLength, let endpoint = Endpoint(text) else {
            throw value.error("expected an address as host:port")
        }
        return "\(endpoint)"
    }
}

// Made by `npm run gen` from the models of @kubernetes/client-node; do not edit.
// Kubernetes' OpenAPI, release-1.36: type -> its fields, parted by spaces. A field that has fields itself is
// followed by its type.

export const KUBERNETES_FIELDS = {
  DiscoveryV1EndpointPort: 'appProtocol name port protocol',
  V1AttachedVolume: 'devicePath name',
  V1ClientIPConfig: 'timeoutSeconds',
  V1Condition: 'lastTransitionTime message observedGeneration reason status type',
  V1ConfigMapNodeConfigSource: 'kubeletConfigKey name namespace resourceVersion uid',
  V1ContainerImage: 'names sizeBytes',
  V1DaemonEndpoint: 'Port',
  V1Endpoint:
    'addresses conditions:V1EndpointConditions deprecatedTopology hints:V1EndpointHints hostname nodeName targetRef:V1ObjectReference zone',
  V1EndpointConditions: 'ready serving terminating',
  V1EndpointHints: 'forNodes:V1ForNode forZones:V1ForZone',
  V1EndpointSlice:
    'addressType apiVersion endpoints:V1Endpoint kind metadata:V1ObjectMeta ports:DiscoveryV1EndpointPort',
  V1ForNode: 'name',
  V1ForZone: 'name',
  V1LoadBalancerIngress: 'hostname ip ipMode ports:V1PortStatus',
  V1LoadBalancerStatus: 'ingress:V1LoadBalancerIngress',
  V1ManagedFieldsEntry: 'apiVersion fieldsType fieldsV1 manager operation subresource time',
  V1Namespace:
    'apiVersion kind metadata:V1ObjectMeta spec:V1NamespaceSpec status:V1NamespaceStatus',
  V1NamespaceCondition: 'lastTransitionTime message reason status type',
  V1NamespaceSpec: 'finalizers',
  V1NamespaceStatus: 'conditions:V1NamespaceCondition phase',
  V1Node: 'apiVersion kind metadata:V1ObjectMeta spec:V1NodeSpec status:V1NodeStatus',
  V1NodeAddress: 'address type',
  V1NodeCondition: 'lastHeartbeatTime lastTransitionTime message reason status type',
  V1NodeConfigSource: 'configMap:V1ConfigMapNodeConfigSource',
  V1NodeConfigStatus:
    'active:V1NodeConfigSource assigned:V1NodeConfigSource error lastKnownGood:V1NodeConfigSource',
  V1NodeDaemonEndpoints: 'kubeletEndpoint:V1DaemonEndpoint',
  V1NodeFeatures: 'supplementalGroupsPolicy',
  V1NodeRuntimeHandler: 'features:V1NodeRuntimeHandlerFeatures name',
  V1NodeRuntimeHandlerFeatures: 'recursiveReadOnlyMounts userNamespaces',
  V1NodeSpec:
    'configSource:V1NodeConfigSource externalID podCIDR podCIDRs providerID taints:V1Taint unschedulable',
  V1NodeStatus:
    'addresses:V1NodeAddress allocatable capacity conditions:V1NodeCondition config:V1NodeConfigStatus daemonEndpoints:V1NodeDaemonEndpoints declaredFeatures features:V1NodeFeatures images:V1ContainerImage nodeInfo:V1NodeSystemInfo phase runtimeHandlers:V1NodeRuntimeHandler volumesAttached:V1AttachedVolume volumesInUse',
  V1NodeSwapStatus: 'capacity',
  V1NodeSystemInfo:
    'architecture bootID containerRuntimeVersion kernelVersion kubeProxyVersion kubeletVersion machineID operatingSystem osImage swap:V1NodeSwapStatus systemUUID',
  V1ObjectMeta:
    'annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels managedFields:V1ManagedFieldsEntry name namespace ownerReferences:V1OwnerReference resourceVersion selfLink uid',
  V1ObjectReference: 'apiVersion fieldPath kind name namespace resourceVersion uid',
  V1OwnerReference: 'apiVersion blockOwnerDeletion controller kind name uid',
  V1PortStatus: 'error port protocol',
  V1Service: 'apiVersion kind metadata:V1ObjectMeta spec:V1ServiceSpec status:V1ServiceStatus',
  V1ServiceCIDR:
    'apiVersion kind metadata:V1ObjectMeta spec:V1ServiceCIDRSpec status:V1ServiceCIDRStatus',
  V1ServiceCIDRSpec: 'cidrs',
  V1ServiceCIDRStatus: 'conditions:V1Condition',
  V1ServicePort: 'appProtocol name nodePort port protocol targetPort',
  V1ServiceSpec:
    'allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP loadBalancerSourceRanges ports:V1ServicePort publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig:V1SessionAffinityConfig trafficDistribution type',
  V1ServiceStatus: 'conditions:V1Condition loadBalancer:V1LoadBalancerStatus',
  V1SessionAffinityConfig: 'clientIP:V1ClientIPConfig',
  V1Taint: 'effect key timeAdded value',
} as const;
